// The main script of the single file: runs the program that is stored beside it, with all its functions compiled ahead.
'use strict';

const { getRawAsset } = require('node:sea');
const { Script } = require('node:vm');

const source = Buffer.from(getRawAsset('program')).latin1Slice();
const script = new Script(source, {
  filename: 'upstreamproxy',
  cachedData: Buffer.from(getRawAsset('compiled')),
});
script.runInThisContext()(require);
