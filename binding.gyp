{
  # The addon for this machine: build/Release/kvm_arm64.node. native/CMakeLists.txt builds it for others; a
  # test holds the two source lists equal.
  'targets': [
    {
      'target_name': 'kvm_arm64',
      'conditions': [
        ['OS=="linux"', {
          'sources': [
            'native/arguments.cc',
            'native/bounce.cc',
            'native/descriptor.cc',
            'native/ioctl.cc',
            'native/module.cc',
            'native/registers.cc',
          ],
          'dependencies': ["<!(node -p \"require('node-addon-api').targets\"):node_addon_api"],
          'defines': ['NAPI_VERSION=9', 'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS'],
          'cflags_cc': ['-std=c++17', '-fvisibility=hidden', '-Wall', '-Wextra'],
          # What the headers of this or that Node ask for.
          'cflags_cc!': ['-std=gnu++17', '-std=gnu++20'],
        }, {
          'type': 'none',
        }],
      ],
    },
  ],
}
