// What calls by InvokeModel took, out of fields, bodies and frames: each family says it in its own way, and Bedrock around it.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { HeaderList } from '../../src/http/header-list.ts';
import { bedrockMetrics, countsInFields } from '../../src/understand/bedrock-counts.ts';
import { LlmMeter } from '../../src/understand/llm-meter.ts';
import type { LlmUsage } from '../../src/understand/llm-usage.ts';
import { seeded } from '../support/seeded.ts';
import {
  amazonFrame,
  documentOf,
  type Family,
  fieldsOf,
  invokeForm,
} from '../support/bedrock-invoke-server.ts';

const stream = 'application/vnd.amazon.eventstream';
const families: readonly Family[] = ['anthropic', 'nova', 'llama', 'mistral', 'cohere'];
const taken = { input: 40, cached: 7, output: 12 };

interface Read {
  readonly usage: LlmUsage | undefined;
  readonly isFinal: boolean;
}

function read(
  octets: Uint8Array,
  contentType: string,
  { step = octets.length, told = undefined as unknown, ends = true } = {},
): Read {
  const meter = new LlmMeter({ form: 'bedrock-invoke', choices: 1, contentType, octetsMax: 65_536, told });
  for (let at = 0; at < octets.length; at += step) meter.push(octets.subarray(at, at + step));
  if (ends) meter.end();
  return { usage: meter.usage, isFinal: meter.isFinal };
}

const sums = ({ usage, isFinal }: Read): readonly unknown[] => [
  usage === undefined ? undefined : usage.input + usage.cached + usage.cacheWritten,
  usage?.output,
  isFinal,
];

const framesOf = (family: Family): readonly Buffer[] => {
  const form = invokeForm(family, taken);
  return [form.begin(), ...Array.from({ length: 12 }, () => form.token()), form.end()].flat();
};
const chunkOf = (message: object): Buffer =>
  amazonFrame('chunk', { bytes: Buffer.from(JSON.stringify(message)).toString('base64') });
const metrics = (more: object): object => ({ [bedrockMetrics]: more });

describe('a whole response', () => {
  for (const family of families)
    test(`of ${family} says it in its body, its fields, or nowhere`, () => {
      const body = Buffer.from(JSON.stringify(documentOf(family, taken)));
      const told = countsInFields(new HeaderList(Object.entries(fieldsOf(family, taken))));
      const saysInBody = ['anthropic', 'nova', 'llama'].includes(family);
      const all = [47, 12, true];
      const nothing = [undefined, undefined, false];
      assert.deepEqual(sums(read(body, 'application/json')), saysInBody ? all : nothing);
      assert.deepEqual(sums(read(body, 'application/json', { told })), family === 'cohere' ? nothing : all);
      // The fields say it all, wherever the body breaks off.
      const cut = read(body.subarray(0, 9), 'application/json', { told, ends: false });
      assert.deepEqual(sums(cut), family === 'cohere' ? nothing : all);
    });

  test('whose fields are no numbers of tokens says nothing', () => {
    const good = [
      ['x-amzn-bedrock-input-token-count', '40'],
      ['x-amzn-bedrock-output-token-count', '12'],
    ] as const;
    const body = Buffer.from('{}');
    const said = (...more: readonly (readonly [string, string])[]): Read =>
      read(body, 'application/json', { told: countsInFields(new HeaderList([...good, ...more])) });
    assert.deepEqual(sums(said()), [40, 12, true]);
    for (const bad of ['-1', '1.5', '0x9', '', '9'.repeat(16), '1, 2'])
      assert.deepEqual(
        sums(said(['x-amzn-bedrock-cache-read-input-token-count', bad])),
        [undefined, undefined, false],
        bad,
      );
    assert.deepEqual(sums(said(['X-Amzn-Bedrock-Input-Token-Count', '1'])), [undefined, undefined, false]);
    const one = countsInFields(new HeaderList([good[0]]));
    assert.deepEqual(sums(read(body, 'application/json', { told: one })), [undefined, undefined, false]);
  });
});

describe('a stream', () => {
  for (const family of families)
    test(`of ${family} says it at its end, in pieces of any size`, () => {
      const octets = Buffer.concat(framesOf(family));
      for (const step of [1, 7, octets.length])
        assert.deepEqual(sums(read(octets, stream, { step })), [47, 12, true]);
    });

  test('that breaks off has said what was read where its family says that first', () => {
    const first = Object.fromEntries(
      families.map((family) => [family, sums(read(Buffer.concat(framesOf(family).slice(0, 5)), stream))]),
    );
    const nothing = [undefined, undefined, false];
    assert.deepEqual(first, {
      anthropic: [47, 1, false],
      nova: nothing,
      llama: [47, 12, false],
      mistral: nothing,
      cohere: nothing,
    });
  });

  test('of Llama that never said what was read is not whole by its reason to stop', () => {
    const last = { generation: '', prompt_token_count: null, generation_token_count: 5, stop_reason: 'stop' };
    assert.deepEqual(sums(read(chunkOf(last), stream)), [0, 5, false]);
    assert.deepEqual(sums(read(chunkOf({ ...last, prompt_token_count: 4 }), stream)), [4, 5, true]);
  });

  test('counts what is cached beside the rest, once', () => {
    const usage = {
      input_tokens: 5,
      cache_read_input_tokens: 70,
      cache_creation_input_tokens: 9,
      cache_creation: { ephemeral_5m_input_tokens: 1, ephemeral_1h_input_tokens: 8 },
      output_tokens: 1,
    };
    const octets = Buffer.concat([
      chunkOf({ type: 'message_start', message: { usage } }),
      chunkOf({
        type: 'message_stop',
        ...metrics({
          inputTokenCount: 5,
          outputTokenCount: 20,
          cacheReadInputTokenCount: 70,
          cacheWriteInputTokenCount: 9,
        }),
      }),
    ]);
    assert.deepEqual(read(octets, stream), {
      usage: { input: 5, cached: 70, cacheWritten: 9, cacheWrittenLong: 8, output: 20 },
      isFinal: true,
    });
  });

  test('of which a count is none leaves nothing to rely on, and what is no chunk says nothing', () => {
    const good = metrics({ inputTokenCount: 1, outputTokenCount: 2 });
    assert.deepEqual(sums(read(chunkOf(good), stream)), [1, 2, true]);
    for (const bad of [-1, 1.5, '1', {}, 1e300])
      assert.deepEqual(
        sums(
          read(
            Buffer.concat([chunkOf(good), chunkOf(metrics({ inputTokenCount: bad, outputTokenCount: 2 }))]),
            stream,
          ),
        ),
        [undefined, undefined, false],
      );
    const bytes = Buffer.from(JSON.stringify(good)).toString('base64');
    for (const frame of [
      amazonFrame('metadata', good),
      amazonFrame('other', { bytes }),
      amazonFrame('chunk', good),
      amazonFrame('chunk', { bytes: bytes.slice(1) }),
      amazonFrame('chunk', { bytes: [bytes] }),
      amazonFrame('chunk', null),
    ])
      assert.deepEqual(sums(read(frame, stream)), [undefined, undefined, false]);
  });
});

const rounds = process.env['TEST_UNDERSTANDING'] === undefined ? 300 : 20_000;

test('streams that a seed makes and breaks say what stands before the break, in pieces of any size', () => {
  const random = seeded(41);
  const below = (max: number): number => Math.floor(random() * max);
  let [whole, broken] = [0, 0];
  for (let round = 0; round < rounds; round += 1) {
    // Frames, and what each says.
    const said: (readonly [number, number] | undefined)[] = [];
    const frames = Array.from({ length: 1 + below(6) }, () => {
      const kind = below(4);
      const counts = [below(1000), below(1000)] as const;
      said.push(kind === 0 ? counts : undefined);
      if (kind === 0) return chunkOf(metrics({ inputTokenCount: counts[0], outputTokenCount: counts[1] }));
      if (kind === 1) return amazonFrame('chunk', { bytes: '!'.repeat(below(40)) });
      if (kind === 2) return amazonFrame('x'.repeat(below(30)), 'y'.repeat(below(300)));
      return chunkOf({ outputs: [{ text: 'usage'.repeat(below(30)) }] });
    });
    const octets = Buffer.concat(frames);
    let good = frames.length;
    if (below(2) === 0) {
      const at = below(octets.length);
      octets[at] = octets[at]! ^ (1 << below(8));
      let end = 0;
      good = frames.findIndex((frame) => at < (end += frame.length));
      broken += 1;
    } else whole += 1;
    const before = said.slice(0, good).filter((one) => one !== undefined);
    const most = (of: 0 | 1): number => Math.max(...before.map((one) => one[of]));
    const expected = before.length === 0 ? [undefined, undefined, false] : [most(0), most(1), true];
    assert.deepEqual(
      sums(read(octets, stream, { step: 1 + below(octets.length) })),
      expected,
      `round ${round}`,
    );
  }
  assert.ok(whole > 0 && broken > 0);
});

test('octets that a seed makes say nothing, end in nothing thrown, and are not held beyond their bound', () => {
  const random = seeded(42);
  for (let round = 0; round < rounds; round += 1) {
    const octets = Buffer.from(
      Array.from({ length: Math.floor(random() * 400) }, () => Math.floor(random() * 256)),
    );
    assert.deepEqual(sums(read(octets, stream, { step: 1 + Math.floor(random() * 50) })), [
      undefined,
      undefined,
      false,
    ]);
  }
  const meter = new LlmMeter({ form: 'bedrock-invoke', choices: 1, contentType: stream, octetsMax: 1024 });
  const long = chunkOf({ outputs: [{ text: 'x'.repeat(5000) }] });
  meter.push(long.subarray(0, 4000));
  assert.equal(meter.octets, 0);
});
