// The main script of the single file: runs the program that is stored beside it, with all its functions compiled ahead.
'use strict';

const { getRawAsset } = require('node:sea');
const { Script } = require('node:vm');

const source = Buffer.from(getRawAsset('program')).latin1Slice();
const compiled = Buffer.from(getRawAsset('compiled'));
const script = new Script(source, {
  filename: 'upstreamproxy',
  // Empty where the builder could not run this runtime.
  cachedData: compiled.length === 0 ? undefined : compiled,
});
script.runInThisContext()(require);
