// Compiles a script whole, with V8 alone: compile-program.cjs SOURCE COMPILED
'use strict';

const { readFileSync, writeFileSync } = require('node:fs');
const { setFlagsFromString } = require('node:v8');
const { Script } = require('node:vm');

const [source, compiled] = process.argv.slice(2);
// Only while it compiles: what is written names the flags that V8 has then, and a start has none.
setFlagsFromString('--no-lazy');
const script = new Script(readFileSync(source, 'latin1'), { filename: 'upstreamproxy' });
setFlagsFromString('--lazy');
writeFileSync(compiled, script.createCachedData());
