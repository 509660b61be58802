// Fuzz target: bytes of an origin into the parser of responses. In any split they mean the same; what is accepted, node:http accepts
// too and reads the same in it, once it is told to take lines that end without CR, and but for a length that is said twice; and no more
// is used than belongs to the response. An input is the method and the bytes as latin1, with
// `|` between. Options as in run-target.ts.

import assert from 'node:assert/strict';

import { ResponseParser } from '../src/http/response-parser.ts';
import { ProxyError } from '../src/protocol/error.ts';
import { readByNode, takesBareLineEnds, type ParsedResponse } from '../test/support/node-response-parser.ts';
import { generateResponse } from '../test/support/response-vocabulary.ts';
import { randomFrom, runTarget } from './run-target.ts';

const limits = {
  headBytesMax: 600,
  headersCountMax: 12,
  chunkOverheadBytesMax: 200,
  chunkLineBytesMax: 60,
  interimHeadsMax: 2,
};

interface Reading {
  readonly responses: readonly ParsedResponse[];
  readonly outcome: 'whole' | 'switched' | 'cut' | 'refused';
  readonly used: number;
  readonly endsWithConnection: boolean;
}

/** Reads the bytes in parts that end where `isEnd` says, with a pause of the receiver behind some of them. */
function read(bytes: Buffer, method: string, isEnd: (at: number) => boolean): Reading {
  const responses: { -readonly [K in keyof ParsedResponse]: ParsedResponse[K] }[] = [];
  let outcome: Reading['outcome'] = 'cut';
  const parser = new ResponseParser(
    {
      onInformation: (status, raw) => responses.push({ status, raw, body: '', trailers: [], isWhole: true }),
      onHead: (status, raw) => responses.push({ status, raw, body: '', trailers: [], isWhole: false }),
      onData: (piece) => {
        const response = responses.at(-1);
        if (response !== undefined) response.body += Buffer.from(piece).toString('latin1');
        return piece.length % 2 === 0;
      },
      onEnd: (trailers) => {
        outcome = 'whole';
        Object.assign(responses.at(-1) ?? {}, { isWhole: true, trailers });
      },
      onSwitch: (raw) => {
        outcome = 'switched';
        responses.push({ status: 101, raw, body: '', trailers: [], isWhole: true });
      },
    },
    limits,
  );
  parser.begin({ method, asksToSwitch: bytes.length % 2 === 0 });
  let used = 0;
  let endsWithConnection = false;
  try {
    for (let at = 0; at < bytes.length && !parser.isOver;) {
      let end = at + 1;
      while (end < bytes.length && !isEnd(end)) end += 1;
      for (; at < end && !parser.isOver;) {
        const taken = parser.push(bytes.subarray(at, end));
        assert.ok(taken > 0 && taken <= end - at, 'bytes are used, and no more than there are');
        at += taken;
      }
      used = at;
    }
    if (!parser.isOver) endsWithConnection = parser.endOfConnection();
  } catch (error) {
    if (!(error instanceof ProxyError) || error.code !== 'origin_malformed') throw error;
    return { responses, outcome: 'refused', used: 0, endsWithConnection };
  }
  return { responses, outcome, used, endsWithConnection };
}

await runTarget({
  name: 'response parser',
  generate: generateResponse,
  check(input) {
    const bar = input.indexOf('|');
    const method = bar === -1 ? 'GET' : input.slice(0, bar);
    const bytes = Buffer.from(input.slice(bar + 1), 'latin1');
    const whole = read(bytes, method, () => false);
    const random = randomFrom(bytes.length);
    for (const isEnd of [() => true, () => random(5) === 0])
      assert.deepEqual(read(bytes, method, isEnd), whole, 'in another split it is another response');
    if (whole.outcome === 'refused' || whole.outcome === 'cut') return false;
    const last = whole.responses.at(-1)?.raw ?? [];
    // Node refuses the second one, though it says the same.
    if (last.filter((name, i) => i % 2 === 0 && name.toLowerCase() === 'content-length').length > 1)
      return true;
    const node = readByNode(bytes.subarray(0, whole.used), method, takesBareLineEnds);
    assert.equal(node.isRefused, false, 'node:http refuses what we take');
    assert.deepEqual(node.responses, whole.responses, 'node:http reads another response');
    if (whole.endsWithConnection) return true;
    const shorter = readByNode(bytes.subarray(0, whole.used - 1), method, takesBareLineEnds);
    assert.notEqual(
      shorter.responses.filter((one) => one.isWhole).length,
      whole.responses.length,
      'it ends earlier',
    );
    return true;
  },
});
