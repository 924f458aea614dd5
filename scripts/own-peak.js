const { readFileSync } = require('node:fs');

/** Bytes that this process held at most (Linux). Not maxRSS: a child's begins with what its parent held when it was forked. */
module.exports = function ownPeak() {
  return 1024 * Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]);
};
