// Loaded into every Node.js program inside. `os.networkInterfaces()` asks the kernel over netlink, which the
// wall denies, and throws; development servers call it at their start. What exists inside is one loopback.
'use strict';
const os = require('os');
const ask = os.networkInterfaces;
os.networkInterfaces = function networkInterfaces() {
  try {
    return ask.call(os);
  } catch {
    const lo = { family: 'IPv4', mac: '00:00:00:00:00:00', internal: true };
    return { lo: [{ ...lo, address: '127.0.0.1', netmask: '255.0.0.0', cidr: '127.0.0.1/8' }] };
  }
};
require('module').syncBuiltinESMExports();
