// SPDX-License-Identifier: Apache-2.0
// A host that brings prometheus-cpp functions of its own and exports them (linked statically with
// -rdynamic, say). The dynamic linker looks in the program first, for the plugin too: the plugin
// then runs the host's functions. Nothing that the plugin does can prevent that while
// prometheus-cpp is a shared library; plugin_api/README.md says what to do. This test holds the
// README to the truth.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <ostream>

#include "test_node.h"

namespace prometheus {

void TextSerializer::Serialize(std::ostream& out, const std::vector<MetricFamily>&) const {
  out << "# the host's own serializer\n";
}

}  // namespace prometheus

namespace ha::test {
namespace {

TEST(PrometheusHost, ItsExportedFunctionsReplaceThePlugins) {
  TestNode node;
  node.start(HA_ROLE_MASTER);
  EXPECT_EQ(node.instance.metrics_text().value(), "# the host's own serializer\n");
  // What needs no prometheus-cpp is untouched.
  EXPECT_THAT(node.instance.status_json().value(), testing::HasSubstr("\"role\":\"master\""));
}

}  // namespace
}  // namespace ha::test
