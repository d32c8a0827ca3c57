// What a flag of `snug generate` promises, checked by the program itself: it changes the picture, to the
// bytes that the same field of a request makes without the command line; the file says it; and --from repeats
// the file from what it says.
#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "media/decode_picture.h"
#include "pipeline/generate.h"
#include "tests/command_line.h"

namespace snug::testing {

struct FlagCase {
  std::vector<std::string> flags;
  std::function<void(RequestFields&)> change;  // what they mean
  std::string setting;                         // what `snug inspect` calls it in the file
  nlohmann::json value;                        // and what it says there
};

inline std::string library_bytes(const RequestFields& fields) {
  const std::vector<std::byte> file = generate(fields, {}).pictures.front();
  return {reinterpret_cast<const char*>(file.data()), file.size()};
}

// Tests of one small model.
class FlagTest : public CommandLineTest {
 protected:
  // `ending` decides the format.
  FlagTest(RequestFields fields, std::string ending)
      : fields_(std::move(fields)), ending_(std::move(ending)) {
    fields_.seed = 3;
  }

  std::vector<std::string> arguments(const std::string& name, const std::vector<std::string>& flags) const {
    std::vector<std::string> all = {
        "generate", fields_.prompt,
        "--model",  fields_.model,
        "--size",   std::to_string(*fields_.width) + "x" + std::to_string(*fields_.height),
        "--steps",  std::to_string(*fields_.steps),
        "--seed",   std::to_string(*fields_.seed),
        "--output", name + ending_};
    if (fields_.frames.has_value()) {
      all.insert(all.end(), {"--frames", std::to_string(*fields_.frames)});
    }
    if (fields_.negative_prompt.has_value()) {
      all.insert(all.end(), {"--negative", *fields_.negative_prompt});
    }
    all.insert(all.end(), flags.begin(), flags.end());
    return all;
  }

  // The file that the program makes with these flags. Beside it is a dump, for drawn().
  std::string made(const std::string& name, std::vector<std::string> flags,
                   const ProgramOptions& options = {}) const {
    if (std::find(flags.begin(), flags.end(), "--dump") == flags.end()) {
      flags.insert(flags.end(), {"--dump", dump(name)});
    }
    const ProgramResult result = run(arguments(name, flags), options);
    EXPECT_EQ(result.exit_code, 0) << name << ": " << result.err;
    return file(name);
  }
  static std::string dump(const std::string& name) { return name + ".safetensors"; }
  // The latents of all steps, and a picture's values.
  std::string drawn(const std::string& name) const { return read_bytes(folder_.path() / dump(name)); }
  // Of a picture, without what the file says of how it was made.
  std::vector<uint8_t> pixels(const std::string& name) const {
    return decode_picture(*open_file(folder_.file(name + ending_))).rgb;
  }
  std::string repeated(const std::string& name, const ProgramOptions& options = {}) const {
    const std::string again = name + "-again";
    const ProgramResult result =
        run({"generate", "--from", name + ending_, "--output", again + ending_}, options);
    EXPECT_EQ(result.exit_code, 0) << name << ": " << result.err;
    return file(again);
  }
  std::string file(const std::string& name) const { return read_bytes(folder_.path() / (name + ending_)); }
  nlohmann::json settings(const std::string& name) const {
    return nlohmann::json::parse(run({"inspect", name + ending_, "--json"}).out)["settings"];
  }

  std::string library_bytes_with(const std::vector<std::string>& loras) const {
    RequestFields fields = fields_;
    fields.loras = loras;
    fields.lora_files = true;
    return library_bytes(fields);
  }

  // All that the flag promises, beside what is made without it under the name "plain". Comparisons are no
  // EXPECT_EQ, which would print the files.
  void expect_works(const FlagCase& flag) const {
    const std::string& name = flag.setting;
    RequestFields fields = fields_;
    flag.change(fields);
    const std::string picture = made(name, flag.flags);
    EXPECT_TRUE(drawn(name) != drawn("plain")) << name << " changes nothing";
    EXPECT_TRUE(picture == library_bytes(fields)) << name << " means something else";
    EXPECT_EQ(settings(name)[name], flag.value);
    EXPECT_TRUE(repeated(name) == picture) << name << " is not repeated by --from";
  }

  RequestFields fields_;
  std::string ending_;
};

}  // namespace snug::testing
