# The addon by node-gyp, from the same lists as native/CMakeLists.txt (native/sources.json). npm does not run it by
# itself: "gypfile" is false in package.json, and scripts/build.js compiles with CMake.
#   npx node-gyp rebuild                     downloads Node's headers
#   npx node-gyp rebuild --nodedir=PREFIX    takes those of PREFIX/include/node
# test/native/sources.test.ts holds both build files against each other; it reads this file as JSON with such comments.
{
  "target_defaults": {
    "include_dirs": ["native"],
    "cflags_cc!": ["-std=gnu++17", "-std=gnu++20", "-fno-rtti", "-fno-exceptions"],
    "cflags_cc": [
      "-std=c++20", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Wno-sign-conversion",
      "-ffp-contract=off", "-fno-math-errno"
    ],
    "xcode_settings": {
      "CLANG_CXX_LANGUAGE_STANDARD": "c++20",
      "GCC_ENABLE_CPP_EXCEPTIONS": "YES",
      "OTHER_CPLUSPLUSFLAGS": ["-ffp-contract=off", "-fno-math-errno"]
    }
  },
  "targets": [
    {
      "target_name": "ssd_prune_core",
      "type": "static_library",
      "sources": ["<!@(node scripts/sources.js core)"],
      "conditions": [
        ["target_arch=='x64'", {
          "defines": ["SSD_PRUNE_X86"],
          "dependencies": ["ssd_prune_avx2", "ssd_prune_avx512", "ssd_prune_avx512bf16"],
          "export_dependent_settings": ["ssd_prune_avx2", "ssd_prune_avx512", "ssd_prune_avx512bf16"]
        }]
      ]
    },
    {
      "target_name": "ssd_prune",
      "type": "loadable_module",
      "dependencies": ["ssd_prune_core"],
      "sources": ["<!@(node scripts/sources.js addon)"],
      "include_dirs": ["<!@(node scripts/sources.js --include)"],
      "defines": ["NAPI_VERSION=9", "NAPI_CPP_EXCEPTIONS"],
      "cflags_cc!": ["-Wshadow", "-Wconversion"]
    }
  ],
  "conditions": [
    ["target_arch=='x64'", {
      "targets": [
        {
          "target_name": "ssd_prune_avx2",
          "type": "static_library",
          "sources": ["<!@(node scripts/sources.js avx2)"],
          "cflags_cc": ["-mavx2", "-mfma", "-mf16c"],
          "xcode_settings": { "OTHER_CPLUSPLUSFLAGS": ["-mavx2", "-mfma", "-mf16c"] }
        },
        {
          "target_name": "ssd_prune_avx512",
          "type": "static_library",
          "sources": ["<!@(node scripts/sources.js avx512)"],
          "cflags_cc": ["-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-mfma"],
          "xcode_settings": {
            "OTHER_CPLUSPLUSFLAGS": ["-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-mfma"]
          }
        },
        {
          "target_name": "ssd_prune_avx512bf16",
          "type": "static_library",
          "sources": ["<!@(node scripts/sources.js avx512bf16)"],
          "cflags_cc": ["-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-mfma", "-mavx512bf16"],
          "xcode_settings": {
            "OTHER_CPLUSPLUSFLAGS": ["-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-mfma", "-mavx512bf16"]
          }
        }
      ]
    }]
  ]
}
