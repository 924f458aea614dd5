// Named arrays of test/data/train/*.txt, as scripts/make-train-fixtures.py writes them.
#pragma once

#include <cstdint>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace ssd_prune {

class Record {
 public:
  explicit Record(const std::string& name) {
    const std::string here = __FILE__;
    const std::string file = here.substr(0, here.rfind('/')) + "/../../test/data/train/" + name;
    std::ifstream in(file);
    if (!in) throw std::runtime_error(file + " is not there");
    for (std::string line; std::getline(in, line);) {
      if (line.empty() || line[0] == '#') continue;
      std::istringstream words(line.substr(0, line.find(" :")));
      std::string key;
      Array array;
      words >> key >> array.type;
      for (size_t dim; words >> dim;) array.dims.push_back(dim);
      array.text = line.substr(line.find(" :") + 2);
      arrays_[key] = array;
    }
  }

  const std::vector<size_t>& Dims(const std::string& key) const { return At(key).dims; }
  std::vector<float> Floats(const std::string& key) const { return Numbers<float>(key); }
  std::vector<double> Doubles(const std::string& key) const { return Numbers<double>(key); }
  std::vector<int32_t> Ints(const std::string& key) const { return Numbers<int32_t>(key); }
  std::vector<uint8_t> Bytes(const std::string& key) const {
    const std::string& text = At(key).text;
    std::vector<uint8_t> bytes;
    for (size_t i = 1; i + 1 < text.size(); i += 2) {
      bytes.push_back(static_cast<uint8_t>(std::stoi(text.substr(i, 2), nullptr, 16)));
    }
    return bytes;
  }

 private:
  struct Array {
    std::string type;
    std::vector<size_t> dims;
    std::string text;
  };

  const Array& At(const std::string& key) const {
    const auto found = arrays_.find(key);
    if (found == arrays_.end()) throw std::runtime_error("no array " + key);
    return found->second;
  }

  template <typename T>
  std::vector<T> Numbers(const std::string& key) const {
    std::istringstream words(At(key).text);
    std::vector<T> values;
    // Through double: reading float32 text that was rounded from float32 gives it back exactly.
    for (double value; words >> value;) values.push_back(static_cast<T>(value));
    size_t expected = 1;
    for (size_t dim : At(key).dims) expected *= dim;
    if (values.size() != expected) throw std::runtime_error(key + " is cut short");
    return values;
  }

  std::map<std::string, Array> arrays_;
};

}  // namespace ssd_prune
