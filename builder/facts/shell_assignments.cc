// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/facts/shell_assignments.h"

#include <algorithm>
#include <cstddef>

namespace kd {
namespace {

// Stock files have 5 KB. $NAME may double a value again and again, so what expands counts too.
constexpr std::size_t kMaxBytes = 1u << 20;

bool is_name_start(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_'; }
bool is_name_char(char c) { return is_name_start(c) || (c >= '0' && c <= '9'); }

class AssignmentParser {
 public:
  AssignmentParser(std::string_view text, std::string_view file, ShellVariables variables)
      : text_(text), file_(file), variables_(std::move(variables)) {}

  Result<ShellVariables> run() {
    KD_CHECK(check_bytes());
    for (;;) {
      skip_blanks();
      if (at_end()) return std::move(variables_);
      const char c = peek();
      if (c == '#') {
        pos_ = std::min(text_.find('\n', pos_), text_.size());
      } else if (c == '\n' || (c == ';' && in_statement_)) {
        take();
        in_statement_ = in_export_ = false;
      } else {
        KD_CHECK(assignment());
      }
    }
  }

 private:
  [[nodiscard]] bool at_end() const { return pos_ == text_.size(); }
  [[nodiscard]] char peek(std::size_t ahead = 0) const {
    return pos_ + ahead < text_.size() ? text_[pos_ + ahead] : '\0';
  }
  char take() {
    line_ += text_[pos_] == '\n';
    return text_[pos_++];
  }
  std::string_view take_name() {
    const std::size_t start = pos_;
    while (is_name_char(peek())) ++pos_;
    return text_.substr(start, pos_ - start);
  }

  // "FILE:LINE: CONSTRUCT: ADVICE"; with `line` 0 for where we are.
  [[nodiscard]] tl::unexpected<Error> refuse(std::string_view construct, std::string_view advice,
                                             std::size_t line = 0) const {
    return fail(ErrorKind::kUsage, "{}:{}: {}: {}", file_, line != 0 ? line : line_, construct,
                advice);
  }

  Result<void> check_bytes() {
    if (text_.size() > kMaxBytes) {
      return fail(ErrorKind::kUsage, "{}: {} bytes are too many for a configuration file", file_,
                  text_.size());
    }
    const auto bad = std::find_if(text_.begin(), text_.end(), [](char c) {
      return (static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\n') || c == 0x7f;
    });
    if (bad == text_.end()) return {};
    const auto line = static_cast<std::size_t>(1 + std::count(text_.begin(), bad, '\n'));
    if (*bad == '\r') {
      return refuse("carriage return", "save the file with Unix line ends", line);
    }
    return refuse(fmt::format("byte 0x{:02x}", *bad), "remove the control character", line);
  }

  void skip_blanks() {
    while (peek() == ' ' || peek() == '\t' || (peek() == '\\' && peek(1) == '\n')) {
      if (take() == '\\') take();
    }
  }

  Result<void> assignment() {
    const std::size_t start = pos_;
    const std::string name = is_name_start(peek()) ? std::string(take_name()) : std::string();
    const bool append = peek() == '+' && peek(1) == '=';
    if (!name.empty() && (append || peek() == '=')) {
      in_statement_ = true;
      pos_ += append ? 2 : 1;
      KD_TRY(std::string value, word());
      KD_CHECK(count(value.size() + (append ? variables_[name].size() : 0)));
      variables_[name] = append ? variables_[name] + value : std::move(value);
      return {};
    }
    const bool whole_word =
        at_end() || std::string_view(" \t\n;").find(peek()) != std::string::npos;
    if (whole_word && !name.empty() && (in_export_ || (name == "export" && !in_statement_))) {
      in_export_ = in_statement_ = true;
      return {};
    }
    const std::size_t end = text_.find_first_of(" \t\n", start);
    return refuse(
        fmt::format("'{}' is a command", text_.substr(start, std::min(end - start, 40ul))),
        "only NAME=value lines are read, no shell runs here");
  }

  // One word up to an unquoted blank, line end or ';'.
  Result<std::string> word() {
    std::string out;
    bool tilde_expands = true;  // at the start and after each unquoted ':'
    while (!at_end() && std::string_view(" \t\n;").find(peek()) == std::string_view::npos) {
      const char c = peek();
      if (c == '~' && tilde_expands) return refuse("~", "write the directory, or quote it: '~'");
      tilde_expands = c == ':';
      if (std::string_view("()<>&|").find(c) != std::string_view::npos) {
        return refuse(fmt::format("unquoted {}", c), "put the value in quotes");
      }
      switch (c) {
        case '\'':
          KD_CHECK(single_quoted(out));
          break;
        case '"':
          KD_CHECK(double_quoted(out));
          break;
        case '$':
          KD_CHECK(expansion(out, false));
          break;
        case '`':
          return refuse_substitution("`...`");
        case '\\':
          KD_CHECK(escape(out));
          break;
        default:
          out += take();
      }
    }
    return out;
  }

  Result<void> escape(std::string& out) {
    take();
    if (at_end()) return refuse("backslash at the end of the file", "remove it");
    if (const char c = take(); c != '\n') out += c;
    return {};
  }

  Result<void> single_quoted(std::string& out) {
    const std::size_t line = line_;
    take();
    while (!at_end() && peek() != '\'') out += take();
    if (at_end()) return refuse("unterminated '", "add the closing quote", line);
    take();
    return {};
  }

  Result<void> double_quoted(std::string& out) {
    const std::size_t line = line_;
    take();
    while (!at_end() && peek() != '"') {
      const bool escapes = peek() == '\\' && pos_ + 1 < text_.size() &&
                           std::string_view("$`\"\\\n").find(peek(1)) != std::string_view::npos;
      if (escapes) {
        KD_CHECK(escape(out));
      } else if (peek() == '$') {
        KD_CHECK(expansion(out, true));
      } else if (peek() == '`') {
        return refuse_substitution("`...`");
      } else {
        out += take();
      }
    }
    if (at_end()) return refuse("unterminated \"", "add the closing quote", line);
    take();
    return {};
  }

  Result<void> expansion(std::string& out, bool quoted) {
    take();
    const char c = peek();
    if (c == '(' && peek(1) == '(') return refuse("arithmetic $((...))", "write the number itself");
    if (c == '(') return refuse_substitution("$(...)");
    if (is_name_start(c)) return append_variable(out, take_name());
    if (c == '{') {
      take();
      const std::size_t start = pos_;
      const std::string_view name = is_name_start(peek()) ? take_name() : std::string_view();
      if (!name.empty() && peek() == '}') {
        take();
        return append_variable(out, name);
      }
      const std::string_view inside =
          text_.substr(start, std::min(text_.find('}', start) - start, 40ul));
      return refuse(fmt::format("${{{}}}", inside.substr(0, inside.find('\n'))),
                    "of the expansions only $NAME and ${NAME} are read");
    }
    if (c != '\0' && std::string_view("0123456789@*#?-$!").find(c) != std::string_view::npos) {
      return refuse(fmt::format("${}", c), "only shells have it: write the value, or \\$ for a $");
    }
    if (!quoted && (c == '\'' || c == '"')) {
      return refuse(fmt::format("${}...{}", c, c), "shells differ in it: leave out the $");
    }
    out += '$';
    return {};
  }

  [[nodiscard]] tl::unexpected<Error> refuse_substitution(std::string_view form) const {
    return refuse(fmt::format("command substitution {}", form),
                  "no command is run: write the value itself");
  }

  Result<void> append_variable(std::string& out, std::string_view name) {
    const auto found = variables_.find(name);
    if (found == variables_.end()) return {};
    KD_CHECK(count(found->second.size()));
    out += found->second;
    return {};
  }

  Result<void> count(std::size_t bytes) {
    expanded_ += bytes;
    if (expanded_ <= 2 * kMaxBytes) return {};
    return refuse("the values", "together they expand to more than 2 MiB");
  }

  std::string_view text_, file_;
  ShellVariables variables_;
  std::size_t pos_ = 0, line_ = 1, expanded_ = 0;
  bool in_statement_ = false;  // something stands before us in this command, so ';' may end it
  bool in_export_ = false;     // after `export`, where a name alone is no command
};

}  // namespace

Result<ShellVariables> parse_shell_assignments(std::string_view text, std::string_view file_name,
                                               ShellVariables variables) {
  return AssignmentParser(text, file_name, std::move(variables)).run();
}

Result<std::vector<std::string>> split_words(std::string_view value) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = '\0';
  for (std::size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    if (quote == '\0' && (c == ' ' || c == '\t' || c == '\n')) {
      if (in_word) words.push_back(std::move(word));
      word.clear();
      in_word = false;
      continue;
    }
    in_word = true;
    if (c == quote) {
      quote = '\0';
    } else if (quote == '\0' && (c == '\'' || c == '"')) {
      quote = c;
    } else if (c == '\\' && quote != '\'' && i + 1 < value.size() &&
               (quote == '\0' || value[i + 1] == '"' || value[i + 1] == '\\')) {
      word += value[++i];
    } else {
      word += c;
    }
  }
  if (quote != '\0') {
    return fail(ErrorKind::kUsage, "unterminated {} in \"{}\": add the closing quote", quote,
                value);
  }
  if (in_word) words.push_back(std::move(word));
  return words;
}

}  // namespace kd
