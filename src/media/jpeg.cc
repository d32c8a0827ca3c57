// libjpeg reports errors by calling back, and the callback must not return: it jumps (setjmp, longjmp). Two
// rules keep that safe here. Functions that call libjpeg are members of the two codec classes and have no
// local object with a destructor: everything that owns memory is a member, destroyed after the jump. And what
// changes between setjmp and longjmp is a member too, never a local.
#include "media/jpeg.h"

#include <array>
#include <csetjmp>
#include <cstdio>
#include <new>
#include <string>

#include <fmt/format.h>
// jpeglib.h needs <cstdio> before it.
#include <jerror.h>
#include <jpeglib.h>

#include "base/error.h"
#include "media/picture_bytes.h"

namespace snug {
namespace {

// A progressive file may state thousands of scans over a huge picture in a few bytes; real ones have about
// ten.
constexpr int kMaxScans = 200;
// What libjpeg may hold itself: all coefficients of a progressive picture of PictureLimits' default size.
constexpr long kLibraryMemoryBytes = 512L << 20;

ErrorCode code_of(int message) {
  switch (message) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
    case JERR_INPUT_EOF:
    case JERR_INPUT_EMPTY: return ErrorCode::kTruncated;
    case JERR_OUT_OF_MEMORY: return ErrorCode::kOutOfMemory;
    case JERR_IMAGE_TOO_BIG:
    case JERR_WIDTH_OVERFLOW:
    case JERR_NO_BACKING_STORE: return ErrorCode::kTooLarge;
    case JERR_BAD_PRECISION:
    case JERR_SOF_UNSUPPORTED:
    case JERR_ARITH_NOTIMPL:
    case JERR_CONVERSION_NOTIMPL:
    case JERR_NOT_COMPILED:
    case JERR_FRACT_SAMPLE_NOTIMPL: return ErrorCode::kUnsupportedImage;
    default: return ErrorCode::kBadImage;
  }
}

const char* fix_of(ErrorCode code) {
  if (code == ErrorCode::kUnsupportedImage) return "convert it to PNG";
  if (code == ErrorCode::kTooLarge || code == ErrorCode::kOutOfMemory) return "use a smaller picture";
  return "save or download the picture again";
}

// Warnings about things beside the pixels; all others mean that pixels were invented.
bool is_harmless(int message) {
  return message == JWRN_EXTRANEOUS_DATA || message == JWRN_BOGUS_ICC || message == JWRN_JFIF_MAJOR ||
         message == JWRN_ADOBE_XFORM || message == JWRN_TOO_MUCH_DATA;
}

// `base` is first, so that the pointer which libjpeg hands back is one to this.
struct JpegErrors {
  jpeg_error_mgr base = {};
  std::jmp_buf jump = {};
  ErrorCode code = ErrorCode::kBadImage;
  std::array<char, JMSG_LENGTH_MAX> message = {};

  Error to_error(const char* doing) const {
    return {code, fmt::format("{}: {}", doing, message.data()), fix_of(code)};
  }
};

[[noreturn]] void jump_out(j_common_ptr info) {
  auto* errors = reinterpret_cast<JpegErrors*>(info->err);
  errors->code = code_of(errors->base.msg_code);
  errors->base.format_message(info, errors->message.data());
  std::longjmp(errors->jump, 1);  // NOLINT(cert-err52-cpp): libjpeg's own way
}

void on_message(j_common_ptr info, int level) {
  if (level < 0 && !is_harmless(info->err->msg_code)) jump_out(info);
}

void print_nothing(j_common_ptr) {}

void on_progress(j_common_ptr info) {
  if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number <= kMaxScans) return;
  ERREXIT(info, JERR_BAD_PROGRESSION);
}

jpeg_error_mgr* prepare(JpegErrors& errors) {
  jpeg_error_mgr* base = jpeg_std_error(&errors.base);
  base->error_exit = jump_out;
  base->emit_message = on_message;
  base->output_message = print_nothing;
  return base;
}

class JpegReader {
 public:
  JpegReader(std::span<const std::byte> bytes, const PictureLimits& limits)
      : bytes_(bytes), limits_(limits) {}
  ~JpegReader() { jpeg_destroy_decompress(&info_); }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  Picture read() {
    if (!run()) throw errors_.to_error("cannot be read as JPEG");
    return std::move(picture_);
  }

 private:
  // False when libjpeg jumped.
  bool run() {
    info_.err = prepare(errors_);
    if (setjmp(errors_.jump) != 0) return false;  // NOLINT(cert-err52-cpp)
    jpeg_create_decompress(&info_);
    info_.mem->max_memory_to_use = kLibraryMemoryBytes;
    progress_.progress_monitor = on_progress;
    info_.progress = &progress_;
    jpeg_mem_src(&info_, reinterpret_cast<const unsigned char*>(bytes_.data()), bytes_.size());
    jpeg_read_header(&info_, TRUE);
    check_declared_size(info_.image_width, info_.image_height, limits_);
    choose_output();
    jpeg_start_decompress(&info_);
    while (info_.output_scanline < info_.output_height) read_row();
    return true;  // without jpeg_finish_decompress: what follows the last row is nobody's
  }

  void choose_output() {
    const bool four_inks = info_.jpeg_color_space == JCS_CMYK || info_.jpeg_color_space == JCS_YCCK;
    info_.out_color_space = four_inks ? JCS_CMYK : JCS_RGB;
    info_.dct_method = JDCT_ISLOW;
    picture_.width = info_.image_width;
    picture_.height = info_.image_height;
    row_.resize(size_t{info_.image_width} * (four_inks ? 4 : 3));
  }

  // The picture grows with the rows that really come, whatever height was declared.
  void read_row() {
    JSAMPROW row = row_.data();
    jpeg_read_scanlines(&info_, &row, 1);
    if (info_.out_color_space == JCS_RGB) {
      picture_.rgb.insert(picture_.rgb.end(), row_.begin(), row_.end());
    } else {
      append_inks();
    }
  }

  void append_inks() {
    const bool inverted = info_.saw_Adobe_marker != 0;
    for (size_t i = 0; i < row_.size(); i += 4) {
      const int black = inverted ? row_[i + 3] : 255 - row_[i + 3];
      for (size_t ink = 0; ink < 3; ++ink) {
        const int light = inverted ? row_[i + ink] : 255 - row_[i + ink];
        picture_.rgb.push_back(static_cast<uint8_t>((light * black + 127) / 255));
      }
    }
  }

  std::span<const std::byte> bytes_;
  const PictureLimits& limits_;
  JpegErrors errors_;
  jpeg_decompress_struct info_ = {};
  jpeg_progress_mgr progress_ = {};
  std::vector<uint8_t> row_;
  Picture picture_;
};

// Own destination instead of jpeg_mem_dest, which loses its buffer when an error jumps.
class JpegWriter {
 public:
  JpegWriter(const Picture& picture, const Metadata& metadata, int quality)
      : picture_(picture), segments_(jpeg_metadata_segments(metadata)), quality_(quality) {}
  ~JpegWriter() { jpeg_destroy_compress(&info_); }
  JpegWriter(const JpegWriter&) = delete;
  JpegWriter& operator=(const JpegWriter&) = delete;

  std::vector<std::byte> write() {
    if (!run()) throw errors_.to_error("writing JPEG failed");
    return std::move(destination_.encoded);
  }

 private:
  struct Destination {
    jpeg_destination_mgr base = {};  // first, as in JpegErrors
    std::array<std::byte, 16 * 1024> block = {};
    std::vector<std::byte> encoded;

    void restart() {
      base.next_output_byte = reinterpret_cast<JOCTET*>(block.data());
      base.free_in_buffer = block.size();
    }
    // An exception must not pass through libjpeg's frames.
    bool take(size_t count) noexcept {
      try {
        encoded.insert(encoded.end(), block.begin(), block.begin() + static_cast<std::ptrdiff_t>(count));
      } catch (const std::bad_alloc&) {
        return false;
      }
      restart();
      return true;
    }
  };

  static Destination& destination_of(j_compress_ptr info) {
    return *reinterpret_cast<Destination*>(info->dest);
  }
  static void start_output(j_compress_ptr info) { destination_of(info).restart(); }
  static boolean empty_block(j_compress_ptr info) {
    if (!destination_of(info).take(destination_of(info).block.size())) ERREXIT1(info, JERR_OUT_OF_MEMORY, 0);
    return TRUE;
  }
  static void finish_output(j_compress_ptr info) {
    Destination& destination = destination_of(info);
    if (!destination.take(destination.block.size() - destination.base.free_in_buffer)) {
      ERREXIT1(info, JERR_OUT_OF_MEMORY, 0);
    }
  }

  bool run() {
    info_.err = prepare(errors_);
    if (setjmp(errors_.jump) != 0) return false;  // NOLINT(cert-err52-cpp)
    jpeg_create_compress(&info_);
    destination_.base.init_destination = start_output;
    destination_.base.empty_output_buffer = empty_block;
    destination_.base.term_destination = finish_output;
    info_.dest = &destination_.base;
    choose_settings();
    jpeg_start_compress(&info_, TRUE);
    for (const JpegSegment& segment : segments_) {
      jpeg_write_marker(&info_, segment.marker, reinterpret_cast<const JOCTET*>(segment.data.data()),
                        static_cast<unsigned>(segment.data.size()));
    }
    while (info_.next_scanline < info_.image_height) write_row();
    jpeg_finish_compress(&info_);
    return true;
  }

  void choose_settings() {
    info_.image_width = static_cast<JDIMENSION>(picture_.width);
    info_.image_height = static_cast<JDIMENSION>(picture_.height);
    info_.input_components = 3;
    info_.in_color_space = JCS_RGB;
    jpeg_set_defaults(&info_);
    jpeg_set_quality(&info_, quality_, TRUE);
    info_.dct_method = JDCT_ISLOW;
    info_.optimize_coding = TRUE;
    const int chroma_step = quality_ >= 90 ? 1 : 2;
    info_.comp_info[0].h_samp_factor = chroma_step;
    info_.comp_info[0].v_samp_factor = chroma_step;
  }

  void write_row() {
    const size_t offset = size_t{info_.next_scanline} * info_.image_width * 3;
    auto* row = const_cast<JSAMPROW>(picture_.rgb.data() + offset);  // libjpeg does not write there
    jpeg_write_scanlines(&info_, &row, 1);
  }

  const Picture& picture_;
  std::vector<JpegSegment> segments_;
  int quality_;
  JpegErrors errors_;
  Destination destination_;
  jpeg_compress_struct info_ = {};
};

}  // namespace

Picture decode_jpeg(std::span<const std::byte> bytes, const PictureLimits& limits) {
  return JpegReader(bytes, limits).read();
}

std::vector<std::byte> encode_jpeg(const Picture& picture, const Metadata& metadata, int quality) {
  return JpegWriter(picture, metadata, quality).write();
}

}  // namespace snug
