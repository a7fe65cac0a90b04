// SPDX-License-Identifier: GPL-2.0-or-later
//
// Text in fixed buffers: what init needs of printf for a tenth of its size and without a heap.
#pragma once

#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace kdinit {

// Appends to a buffer it does not own. What does not fit is cut off and remembered. The text is
// always followed by a NUL, so c_str() can go to a system call.
class TextBuffer {
 public:
  TextBuffer(char* data, std::size_t capacity) : data_(data), capacity_(capacity) { clear(); }
  TextBuffer(const TextBuffer&) = delete;
  TextBuffer& operator=(const TextBuffer&) = delete;

  template <typename... Parts>
  TextBuffer& put(const Parts&... parts) {
    (append(parts), ...);
    return *this;
  }
  void clear() {
    size_ = 0;
    cut_ = false;
    data_[0] = '\0';
  }
  [[nodiscard]] std::string_view view() const { return {data_, size_}; }
  [[nodiscard]] const char* c_str() const { return data_; }
  [[nodiscard]] bool cut() const { return cut_; }

  // JSON string with its quotes; a byte outside printable ASCII becomes \u00XX, so that the result
  // is valid whatever a disk or a kernel put in there.
  TextBuffer& put_json(std::string_view text) {
    append('"');
    for (char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte < 0x20 || byte >= 0x7f) {
        put("\\u00", hex_digit(byte >> 4), hex_digit(byte & 15));
      } else {
        if (c == '"' || c == '\\') append('\\');
        append(c);
      }
    }
    append('"');
    return *this;
  }
  TextBuffer& put_hex(unsigned byte) { return put(hex_digit(byte >> 4), hex_digit(byte & 15)); }

 private:
  static char hex_digit(unsigned value) { return "0123456789abcdef"[value & 15]; }
  void append(char c) {
    if (size_ + 1 < capacity_) {
      data_[size_++] = c;
      data_[size_] = '\0';
    } else {
      cut_ = true;
    }
  }
  void append(std::string_view text) {
    for (char c : text) append(c);
  }
  void append(const char* text) { append(std::string_view(text)); }
  template <std::integral Number>
  requires(!std::same_as<Number, char> && !std::same_as<Number, bool>) void append(Number number) {
    char digits[24];
    // One instance of to_chars instead of one for each integer type.
    const char* end =
        number < 0
            ? std::to_chars(digits, digits + sizeof digits, static_cast<std::int64_t>(number)).ptr
            : std::to_chars(digits, digits + sizeof digits, static_cast<std::uint64_t>(number)).ptr;
    append(std::string_view(digits, static_cast<std::size_t>(end - digits)));
  }

  char* data_;
  std::size_t capacity_;
  std::size_t size_ = 0;
  bool cut_ = false;
};

template <std::size_t N>
class Text : public TextBuffer {
 public:
  Text() : TextBuffer(storage_, N) {}
  template <typename... Parts>
  explicit Text(const Parts&... parts) : TextBuffer(storage_, N) {
    put(parts...);
  }

 private:
  char storage_[N];
};

using Path = Text<1024>;

}  // namespace kdinit
