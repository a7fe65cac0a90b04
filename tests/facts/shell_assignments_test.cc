// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/facts/shell_assignments.h"

#include <gmock/gmock.h>

#include <array>
#include <cstdio>
#include <memory>

namespace kd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

struct Accepted {
  const char* text;
  const char* value;  // of A afterwards
  friend void PrintTo(const Accepted& test, std::ostream* out) { *out << test.text; }
};

class ShellValue : public testing::TestWithParam<Accepted> {};

std::string value_of_a(std::string_view text) {
  const auto variables = parse_shell_assignments(text, "file");
  if (!variables) return "refused: " + variables.error().message;
  const auto found = variables->find("A");
  return found == variables->end() ? "not set" : found->second;
}

TEST_P(ShellValue, IsRead) { EXPECT_EQ(value_of_a(GetParam().text), GetParam().value); }

// Against the real one; dash, the sh of Debian, has no +=.
TEST_P(ShellValue, IsWhatShReads) {
  const std::string text = GetParam().text;
  if (text.find("+=") != std::string::npos) GTEST_SKIP() << "bash only";
  std::string name = testing::TempDir() + "kd-shell-XXXXXX";
  const int fd = ::mkstemp(name.data());
  ASSERT_GE(fd, 0);
  const std::unique_ptr<FILE, int (*)(FILE*)> script(::fdopen(fd, "w"), ::fclose);
  std::fputs((text + "\nprintf %s \"${A-not set}\"\n").c_str(), script.get());
  std::fflush(script.get());
  std::string output;
  {
    const std::unique_ptr<FILE, int (*)(FILE*)> shell(::popen(("env -i sh " + name).c_str(), "r"),
                                                      ::pclose);
    std::array<char, 256> buffer{};
    std::size_t got = 0;
    while ((got = std::fread(buffer.data(), 1, buffer.size(), shell.get())) > 0) {
      output.append(buffer.data(), got);
    }
  }
  std::remove(name.c_str());
  EXPECT_EQ(output, GetParam().value);
}

constexpr Accepted kAccepted[] = {
    {"A=1", "1"},
    {"A=", ""},
    {"A=''", ""},
    {"", "not set"},
    {"# A=1", "not set"},
    {"  A=1", "1"},
    {"\tA=1\t", "1"},
    {"A=1 # comment", "1"},
    {"A=1#2", "1#2"},
    {"A=a#b", "a#b"},
    {"A=\"x # y\"", "x # y"},
    {"A='x # y'", "x # y"},
    {"A=\"-c -d 31\"", "-c -d 31"},
    {"A='-c -d 31'", "-c -d 31"},
    {"A=a'b c'd\"e f\"g", "ab cde fg"},
    {"A='it'\\''s'", "it's"},
    {"A=\"say \\\"x\\\"\"", "say \"x\""},
    {"A=\"a\\$b\"", "a$b"},
    {"A=\"a\\`b\"", "a`b"},
    {"A=\"a\\\\b\"", "a\\b"},
    {"A=\"a\\nb\"", "a\\nb"},
    {"A='a\\nb'", "a\\nb"},
    {"A=a\\nb", "anb"},
    {"A=a\\ b", "a b"},
    {"A=a\\;b", "a;b"},
    {"A=a\\\nb", "ab"},
    {"A=\"a\\\nb\"", "ab"},
    {"A='a\\\nb'", "a\\\nb"},
    {"A=\"a\nb\"", "a\nb"},
    {"A=1 \\\n  B=2", "1"},
    {"B=2 A=1", "1"},
    {"B=2;A=1", "1"},
    {"B=2 ; A=1 ;", "1"},
    {"A=1\nA=2", "2"},
    {"export A=1", "1"},
    {"export B A=1 C", "1"},
    {"A=1; export A", "1"},
    {"A=1\nexport A", "1"},
    {"B=x; A=$B", "x"},
    {"B=x; A=${B}y", "xy"},
    {"B=x; A=\"${B}y $B\"", "xy x"},
    {"B=x; A='$B'", "$B"},
    {"A=$B", ""},
    {"A=1; A=\"$A 2\"", "1 2"},
    {"B='a b'; A=$B", "a b"},
    {"A=\"100$\"", "100$"},
    {"A=5$", "5$"},
    {"A=a$.b", "a$.b"},
    {"A=*.ko", "*.ko"},
    {"A=[ip]", "[ip]"},
    {"A={a,b}", "{a,b}"},
    {"A=a=b", "a=b"},
    {"A=\"~\"", "~"},
    {"A=a~b", "a~b"},
    {"A=!x", "!x"},
    {"A=\xc3\xa4", "\xc3\xa4"},
    {"A_1=2; A=$A_1", "2"},
    {"A=1; A+=2", "12"},
    {"A+=2", "2"},
    {"A=\"x\"; A+=\" $A\"", "x x"},
    {"A=\"echo 'makedumpfile FAILED.'; /bin/bash; reboot -f\"",
     "echo 'makedumpfile FAILED.'; /bin/bash; reboot -f"},
    {"A=1\n\n\n   \n# end", "1"},
};
INSTANTIATE_TEST_SUITE_P(All, ShellValue, testing::ValuesIn(kAccepted));

struct Refused {
  const char* text;
  const char* message;  // the part behind the file name
  friend void PrintTo(const Refused& test, std::ostream* out) { *out << test.text; }
};

class ShellConstruct : public testing::TestWithParam<Refused> {};

TEST_P(ShellConstruct, IsRefusedByName) {
  const auto variables = parse_shell_assignments(GetParam().text, "/etc/default/x");
  ASSERT_FALSE(variables.has_value());
  EXPECT_EQ(variables.error().kind, ErrorKind::kUsage);
  EXPECT_THAT(variables.error().message,
              StartsWith(std::string("/etc/default/x:") + GetParam().message));
}

constexpr Refused kRefused[] = {
    {"A=1\nB=$(uname -r)", "2: command substitution $(...): no command is run"},
    {"A=\"x $(uname)\"", "1: command substitution $(...)"},
    {"\n\nA=`uname`", "3: command substitution `...`"},
    {"A=\"`uname`\"", "1: command substitution `...`"},
    {"A=$((1+1))", "1: arithmetic $((...))"},
    {"A=${B:-1}", "1: ${B:-1}: of the expansions only"},
    {"A=${B#x}", "1: ${B#x}"},
    {"A=${#B}", "1: ${#B}"},
    {"A=${}", "1: ${}"},
    {"A=${B", "1: ${B}"},
    {"A=$1", "1: $1"},
    {"A=\"$@\"", "1: $@"},
    {"A=$?", "1: $?"},
    {"A=$$", "1: $$"},
    {"A=$'x'", "1: $'...'"},
    {"A=$\"x\"", "1: $\"...\""},
    {"A='x\ny\n", "1: unterminated '"},
    {"\nA=\"x\ny\n", "2: unterminated \""},
    {"A=\"x\\", "1: unterminated \""},
    {"A=x\\", "1: backslash at the end of the file"},
    {"A=~/x", "1: ~: write the directory"},
    {"A=a:~/x", "1: ~"},
    {"A=(1 2)", "1: unquoted (: put the value in quotes"},
    {"A=a|b", "1: unquoted |"},
    {"A=a&b", "1: unquoted &"},
    {"A=a>b", "1: unquoted >"},
    {"A=<b", "1: unquoted <"},
    {"A=a)", "1: unquoted )"},
    {"A=1 reboot", "1: 'reboot' is a command"},
    {"A=-c -d 31", "1: '-d' is a command"},
    {"if true; then A=1; fi", "1: 'if' is a command"},
    {". /etc/x", "1: '.' is a command"},
    {"A =1", "1: 'A' is a command"},
    {"1A=2", "1: '1A=2' is a command"},
    {"A[0]=2", "1: 'A[0]=2' is a command"},
    {"\"A\"=2", "1: '\"A\"=2' is a command"},
    {"export -n A", "1: '-n' is a command"},
    {"A=1 export B=2", "1: 'export' is a command"},
    {"; A=1", "1: ';' is a command"},
    {"A=1;; B=2", "1: ';' is a command"},
    {"A=1\r\nB=2\r\n", "1: carriage return: save the file with Unix line ends"},
    {"A=1\n# \x01", "2: byte 0x01"},
    {"\xef\xbb\xbf"
     "A=1",
     "1: '\xef\xbb\xbf"
     "A=1' is a command"},
};
INSTANTIATE_TEST_SUITE_P(All, ShellConstruct, testing::ValuesIn(kRefused));

TEST(ShellAssignments, RefuseNulBytes) {
  const auto variables = parse_shell_assignments(std::string_view("A=1\nB=\0", 7), "f");
  ASSERT_FALSE(variables.has_value());
  EXPECT_THAT(variables.error().message, StartsWith("f:2: byte 0x00"));
}

TEST(ShellAssignments, BoundWhatExpansionsMake) {
  std::string text = "A=0123456789abcdef\n";
  for (int i = 0; i < 40; ++i) text += "A=$A$A\n";
  const auto variables = parse_shell_assignments(text, "f");
  ASSERT_FALSE(variables.has_value());
  EXPECT_THAT(variables.error().message, HasSubstr("expand to more than 2 MiB"));
  EXPECT_FALSE(parse_shell_assignments(std::string((1 << 20) + 1, '\n'), "f").has_value());
}

TEST(ShellAssignments, GoOnFromAnEarlierFile) {
  const auto variables = parse_shell_assignments("B=$A; A=2", "f", {{"A", "1"}, {"C", "3"}});
  ASSERT_TRUE(variables.has_value());
  EXPECT_EQ(*variables, (ShellVariables{{"A", "2"}, {"B", "1"}, {"C", "3"}}));
}

TEST(SplitWords, GroupsByQuotes) {
  EXPECT_THAT(*split_words("-c  -d 31 "), ElementsAre("-c", "-d", "31"));
  EXPECT_THAT(*split_words("a 'b c'"), ElementsAre("a", "b c"));
  EXPECT_THAT(*split_words("x\"a 'b\"'c\"d'"), ElementsAre("xa 'bc\"d"));
  EXPECT_THAT(*split_words("''\t\n\"\""), ElementsAre("", ""));
  EXPECT_THAT(*split_words("a\\ b \"c\\\"d\" 'e\\'"), ElementsAre("a b", "c\"d", "e\\"));
  EXPECT_THAT(*split_words("  "), IsEmpty());
}

TEST(SplitWords, RefusesAnOpenQuote) {
  for (const char* text : {"a 'b", "\"", "a\"b\\\""}) {
    const auto words = split_words(text);
    ASSERT_FALSE(words.has_value()) << text;
    EXPECT_EQ(words.error().kind, ErrorKind::kUsage);
  }
}

}  // namespace
}  // namespace kd
