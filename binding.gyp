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
            'native/event_fd.cc',
            'native/event_watch.cc',
            'native/ioctl.cc',
            'native/kick.cc',
            'native/memory.cc',
            'native/module.cc',
            'native/registers.cc',
            'native/run.cc',
            'native/run_area.cc',
            'native/run_thread.cc',
          ],
          'dependencies': ["<!(node -p \"require('node-addon-api').targets\"):node_addon_api"],
          'defines': ['NAPI_VERSION=9', 'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS'],
          'cflags_cc': ['-std=c++17', '-fvisibility=hidden', '-Wall', '-Wextra'],
          # A signal's handler and the watching thread must outlast the environment that loaded them.
          'ldflags': ['-Wl,-z,nodelete'],
          # What the headers of this or that Node ask for.
          'cflags_cc!': ['-std=gnu++17', '-std=gnu++20'],
        }, {
          'type': 'none',
        }],
      ],
    },
  ],
}
