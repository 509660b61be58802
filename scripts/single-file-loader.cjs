// The main script of the single file: runs the program, whose pieces are stored beside it with all their functions compiled ahead. A piece is
// loaded where it is first used: the helper of a jail takes a tenth of what the agent has.
'use strict';

const { getRawAsset } = require('node:sea');
const { Script } = require('node:vm');

const loaded = new Map();

function load(name) {
  if (!name.startsWith('./')) return require(name);
  const known = loaded.get(name);
  if (known !== undefined) return known.exports;
  const module = { exports: {} };
  loaded.set(name, module);
  const asset = `pieces/${name.slice('./'.length)}`;
  const compiled = Buffer.from(getRawAsset(`${asset}.compiled`));
  const script = new Script(Buffer.from(getRawAsset(asset)).latin1Slice(), {
    filename: asset,
    // Empty where the builder could not run this runtime.
    cachedData: compiled.length === 0 ? undefined : compiled,
  });
  script.runInThisContext()(module.exports, load, module);
  return module.exports;
}

load('./program.cjs');
