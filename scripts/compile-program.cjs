// Compiles scripts whole, with V8 alone, each beside itself: node --random-seed=1 compile-program.cjs SOURCE…
// The seed is for the order of V8's tables: without it each time would give other bytes. It is no part of the flags that a start has to have.
'use strict';

const { readFileSync, writeFileSync } = require('node:fs');
const { setFlagsFromString } = require('node:v8');
const { Script } = require('node:vm');

for (const source of process.argv.slice(2)) {
  // Only while it compiles: what is written names the flags that V8 has then, and a start has none.
  setFlagsFromString('--no-lazy');
  const script = new Script(readFileSync(source, 'latin1'), { filename: source });
  setFlagsFromString('--lazy');
  writeFileSync(`${source}.compiled`, script.createCachedData());
}
