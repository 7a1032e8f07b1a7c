// Boost.URL's own code, compiled here and nowhere else in the program.
#include <boost/url/src.hpp>
