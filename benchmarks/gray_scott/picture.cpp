// Draws field v of a checkpoint as a PNG: gray_scott_picture FILE.h5 FILE.png. Serial, stock HDF5.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include <hdf5.h>
#include <png.h>

#include "hdf5_handle.h"

namespace {

using gray_scott::Hdf5Handle;

struct Image {
  hsize_t rows = 0;
  hsize_t columns = 0;
  std::vector<double> cells;
};

constexpr hsize_t kSideMax = 1 << 15;

bool read_field(const char* path, Image& image) {
  const Hdf5Handle file(H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose);
  const Hdf5Handle dataset(file ? H5Dopen2(file.get(), "v", H5P_DEFAULT) : -1, H5Dclose);
  const Hdf5Handle space(dataset ? H5Dget_space(dataset.get()) : -1, H5Sclose);
  hsize_t sides[2] = {0, 0};
  if (!space || H5Sget_simple_extent_ndims(space.get()) != 2 ||
      H5Sget_simple_extent_dims(space.get(), sides, nullptr) != 2) {
    return false;
  }
  if (std::min(sides[0], sides[1]) == 0 || std::max(sides[0], sides[1]) > kSideMax) {
    return false;
  }
  image.rows = sides[0];
  image.columns = sides[1];
  image.cells.resize(sides[0] * sides[1]);
  return H5Dread(dataset.get(), H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT,
                 image.cells.data()) >= 0;
}

struct Colour {
  double red;
  double green;
  double blue;
};

// From deep blue over teal to pale yellow.
constexpr std::array<Colour, 5> kScale{Colour{13, 20, 60}, Colour{24, 76, 120},
                                       Colour{38, 140, 140}, Colour{130, 200, 130},
                                       Colour{250, 240, 180}};

void put_colour(double value, std::uint8_t* pixel) {
  const double place = std::clamp(value, 0.0, 1.0) * (kScale.size() - 1);
  const std::size_t low = std::min(static_cast<std::size_t>(place), kScale.size() - 2);
  const double part = place - static_cast<double>(low);
  const auto between = [&](double a, double b) {
    return static_cast<std::uint8_t>(std::lround(a + part * (b - a)));
  };
  pixel[0] = between(kScale[low].red, kScale[low + 1].red);
  pixel[1] = between(kScale[low].green, kScale[low + 1].green);
  pixel[2] = between(kScale[low].blue, kScale[low + 1].blue);
}

bool write_png(const char* path, const Image& image) {
  const double top = *std::max_element(image.cells.begin(), image.cells.end());
  std::vector<std::uint8_t> pixels(image.cells.size() * 3);
  for (std::size_t i = 0; i < image.cells.size(); ++i) {
    put_colour(top > 0 ? image.cells[i] / top : 0, &pixels[3 * i]);
  }
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  png.width = static_cast<png_uint_32>(image.columns);
  png.height = static_cast<png_uint_32>(image.rows);
  png.format = PNG_FORMAT_RGB;
  if (png_image_write_to_file(&png, path, 0, pixels.data(), 0, nullptr) == 0) {
    std::fprintf(stderr, "gray_scott_picture: %s: %s\n", path, png.message);
    return false;
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: gray_scott_picture CHECKPOINT.h5 PICTURE.png\n");
    return 2;
  }
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  Image image;
  if (!read_field(argv[1], image)) {
    std::fprintf(stderr, "gray_scott_picture: %s: cannot read field v: %s\n", argv[1],
                 gray_scott::hdf5_error_text().c_str());
    return EXIT_FAILURE;
  }
  return write_png(argv[2], image) ? EXIT_SUCCESS : EXIT_FAILURE;
}
