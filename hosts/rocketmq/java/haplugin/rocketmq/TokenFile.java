// SPDX-License-Identifier: Apache-2.0
package haplugin.rocketmq;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.List;
import org.apache.rocketmq.common.constant.LoggerName;
import org.apache.rocketmq.logging.org.slf4j.Logger;
import org.apache.rocketmq.logging.org.slf4j.LoggerFactory;

/**
 * The tokens that let an operator in, one a line, read again for each request. A file that turns bad
 * leaves the tokens that it had before valid: a slip in an editor must not end in a broker that
 * cannot be promoted.
 */
final class TokenFile {
  private static final Logger LOG = LoggerFactory.getLogger(LoggerName.STORE_LOGGER_NAME);
  private static final String NAME = Options.PREFIX + "control_token_file";
  private static final int SHORTEST = 16;
  private static final long LONGEST_FILE = 64 * 1024;

  private final Path path;
  private List<byte[]> tokens; // under this
  private String fault = ""; // said already

  TokenFile(String path) throws HaException {
    this.path = Paths.get(path);
    tokens = read();
  }

  synchronized boolean holds(String token) {
    try {
      tokens = read();
      fault = "";
    } catch (HaException e) {
      if (!fault.equals(e.getMessage())) {
        LOG.error("{}; the tokens that it had before stay valid", e.getMessage());
      }
      fault = e.getMessage();
    }
    byte[] given = token.getBytes(StandardCharsets.UTF_8);
    boolean found = false;
    for (byte[] one : tokens) {
      found |= MessageDigest.isEqual(one, given);
    }
    return found;
  }

  private List<byte[]> read() throws HaException {
    try {
      if (!Files.isRegularFile(path) || Files.size(path) > LONGEST_FILE) {
        throw bad("is not a regular file of at most " + LONGEST_FILE + " bytes");
      }
      String mode = PosixFilePermissions.toString(Files.getPosixFilePermissions(path));
      if (!mode.endsWith("------")) {
        throw bad("is open to others than its owner (" + mode + "); run chmod 600 on it");
      }
      List<byte[]> all = new ArrayList<>();
      for (String line : new String(Files.readAllBytes(path), StandardCharsets.ISO_8859_1).split("\n")) {
        String token = line.trim();
        if (token.isEmpty()) {
          continue;
        }
        if (token.length() < SHORTEST || !token.matches("[!-~]+")) {
          throw bad("has a line that is not a token: " + SHORTEST
              + " or more printable characters without a space");
        }
        all.add(token.getBytes(StandardCharsets.US_ASCII));
      }
      if (all.isEmpty()) {
        throw bad("holds no token; `umask 077; openssl rand -hex 32 > FILE` writes one");
      }
      return all;
    } catch (HaException e) {
      throw e;
    } catch (IOException | UnsupportedOperationException e) {
      throw bad("cannot be read: " + e);
    }
  }

  private HaException bad(String why) {
    return new HaException("ha_plugin: " + NAME + ": '" + path + "' " + why);
  }
}
