// grpc-js plays gRPC's interoperability cases (grpc/doc/interop-test-descriptions.md): `node interop-client.ts HOST:PORT HOST:PORT [CASE…]` in the
// environment that the agent prints; the second server compresses. Prints a JSON object: what went wrong by case, or an empty text.

import assert from 'node:assert/strict';
import { once } from 'node:events';

import { Client, credentials, Metadata, status } from '@grpc/grpc-js';
import type { ServiceError } from '@grpc/grpc-js';

import { echoedHead, echoedTrailer, missing, testService } from './interop-service.ts';
import type { Definition, InteropReply, InteropRequest } from './interop-service.ts';

const [plainAuthority = '', compressingAuthority = '', ...chosen] = process.argv.slice(2);
const large = { 'grpc.max_receive_message_length': -1 };
const client = new Client(plainAuthority, credentials.createSsl(), large);
const gzipClient = new Client(plainAuthority, credentials.createSsl(), {
  ...large,
  'grpc.default_compression_algorithm': 2,
});
const clientOfGzip = new Client(compressingAuthority, credentials.createSsl(), large);
const patienceMs = 30_000;
const deadline = (): number => Date.now() + patienceMs;

interface Outcome {
  readonly error: ServiceError | null;
  readonly reply: InteropReply | undefined;
  readonly head: Metadata;
  readonly trailers: Metadata;
}

interface Ended {
  readonly code: number;
  readonly details: string;
  readonly metadata: Metadata;
}

/** A call that fails tells so by an error as well, which `once` would throw. */
function endOf(call: NodeJS.EventEmitter): Promise<Ended> {
  const { promise, resolve } = Promise.withResolvers<Ended>();
  call.on('status', resolve).on('error', () => undefined);
  return promise;
}

async function unary(
  by: Client,
  definition: Definition,
  request: InteropRequest,
  metadata = new Metadata(),
): Promise<Outcome> {
  const { promise, resolve } = Promise.withResolvers<Pick<Outcome, 'error' | 'reply'>>();
  const { path, requestSerialize, responseDeserialize } = definition;
  const call = by.makeUnaryRequest(
    path,
    requestSerialize,
    responseDeserialize,
    request,
    metadata,
    { deadline: deadline() },
    (error, reply) => resolve({ error, reply }),
  );
  let head = new Metadata();
  call.on('metadata', (fields: Metadata) => (head = fields));
  const ended = endOf(call);
  const outcome = await promise;
  const { metadata: trailers } = await ended;
  return { ...outcome, head, trailers };
}

async function streamingInput(by: Client, sizes: readonly number[]): Promise<InteropReply | undefined> {
  const { path, requestSerialize, responseDeserialize } = testService.StreamingInputCall;
  const { promise, resolve, reject } = Promise.withResolvers<InteropReply | undefined>();
  const options = { deadline: deadline() };
  const call = by.makeClientStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
    new Metadata(),
    options,
    (error, reply) => (error === null ? resolve(reply) : reject(error)),
  );
  for (const size of sizes) call.write({ payload: 'a'.repeat(size) });
  call.end();
  return await promise;
}

async function streamingOutput(by: Client, sizes: readonly number[]): Promise<void> {
  const { path, requestSerialize, responseDeserialize } = testService.StreamingOutputCall;
  const call = by.makeServerStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
    { sizes },
    { deadline: deadline() },
  );
  const ended = endOf(call);
  const lengths: number[] = [];
  for await (const { payload } of call as AsyncIterable<InteropReply>) lengths.push(payload.length);
  assert.deepEqual(lengths, sizes);
  assert.equal((await ended).code, status.OK);
}

function fullDuplex(metadata = new Metadata(), timeoutMs = patienceMs) {
  const { path, requestSerialize, responseDeserialize } = testService.FullDuplexCall;
  const options = { deadline: Date.now() + timeoutMs };
  const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata, options);
  return { call, ended: endOf(call) };
}

async function largeUnary(by: Client): Promise<InteropReply | undefined> {
  const { error, reply } = await unary(by, testService.UnaryCall, {
    sizes: [314_159],
    payload: 'a'.repeat(271_828),
  });
  assert.equal(error, null);
  assert.equal(reply?.payload.length, 314_159);
  assert.equal(reply.bytes, 271_828);
  return reply;
}

async function statusOf(code: number, message: string): Promise<void> {
  const { error } = await unary(client, testService.UnaryCall, { status: { code, message } });
  assert.deepEqual([error?.code, error?.details], [code, message]);
  const { call, ended } = fullDuplex();
  call.write({ status: { code, message } });
  const end = await ended;
  assert.deepEqual([end.code, end.details], [code, message]);
}

function echoed(): Metadata {
  const metadata = new Metadata();
  metadata.set(echoedHead, 'test_initial_metadata_value');
  metadata.set(echoedTrailer, Buffer.from([0xab, 0xab, 0xab]));
  return metadata;
}

function assertEchoed(head: Metadata, trailers: Metadata): void {
  assert.deepEqual(head.get(echoedHead), ['test_initial_metadata_value']);
  assert.deepEqual(trailers.get(echoedTrailer), [Buffer.from([0xab, 0xab, 0xab])]);
}

const requestSizes = [27_182, 8, 1_828, 45_904];
const replySizes = [31_415, 9, 2_653, 58_979];

const cases: Readonly<Record<string, () => Promise<unknown>>> = {
  empty_unary: async () => assert.equal((await unary(client, testService.EmptyCall, {})).error, null),
  large_unary: () => largeUnary(client),
  client_compressed_unary: () => largeUnary(gzipClient),
  server_compressed_unary: () => largeUnary(clientOfGzip),
  client_streaming: async () => assert.equal((await streamingInput(client, requestSizes))?.bytes, 74_922),
  client_compressed_streaming: async () => {
    assert.equal((await streamingInput(gzipClient, [27_182, 45_904]))?.bytes, 73_086);
  },
  server_streaming: () => streamingOutput(client, replySizes),
  server_compressed_streaming: () => streamingOutput(clientOfGzip, [31_415, 92_653]),
  ping_pong: async () => {
    const { call, ended } = fullDuplex();
    for (const [at, size] of replySizes.entries()) {
      // The next is sent when the last came back: nothing in between may wait for more.
      call.write({ sizes: [size], payload: 'a'.repeat(requestSizes[at] ?? 0) });
      const [reply] = (await once(call, 'data')) as [InteropReply];
      assert.deepEqual([reply.payload.length, reply.bytes], [size, requestSizes[at]]);
    }
    call.end();
    call.resume();
    assert.equal((await ended).code, status.OK);
  },
  empty_stream: async () => {
    const { call, ended } = fullDuplex();
    call.on('data', () => assert.fail('a message came'));
    call.end();
    assert.equal((await ended).code, status.OK);
  },
  custom_metadata: async () => {
    const { error, head, trailers } = await unary(client, testService.UnaryCall, { sizes: [1] }, echoed());
    assert.equal(error, null);
    assertEchoed(head, trailers);
    const { call, ended } = fullDuplex(echoed());
    const started = once(call, 'metadata') as Promise<[Metadata]>;
    call.end({ sizes: [1] });
    call.resume();
    assertEchoed((await started)[0], (await ended).metadata);
  },
  status_code_and_message: () => statusOf(status.UNKNOWN, 'test status message'),
  special_status_message: () =>
    statusOf(status.UNKNOWN, '\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n'),
  unimplemented_method: async () =>
    assert.equal((await unary(client, missing.method, {})).error?.code, status.UNIMPLEMENTED),
  unimplemented_service: async () =>
    assert.equal((await unary(client, missing.service, {})).error?.code, status.UNIMPLEMENTED),
  cancel_after_begin: async () => {
    const { call, ended } = fullDuplex();
    call.cancel();
    assert.equal((await ended).code, status.CANCELLED);
  },
  cancel_after_first_response: async () => {
    const { call, ended } = fullDuplex();
    call.write({ sizes: [31_415], payload: 'a'.repeat(27_182) });
    await once(call, 'data');
    call.cancel();
    assert.equal((await ended).code, status.CANCELLED);
  },
  timeout_on_sleeping_server: async () => {
    const { call, ended } = fullDuplex(new Metadata(), 1);
    call.write({ payload: 'a'.repeat(27_182) });
    assert.equal((await ended).code, status.DEADLINE_EXCEEDED);
  },
  concurrent_large_unary: () => Promise.all(Array.from({ length: 20 }, () => largeUnary(client))),
  // Beyond the list: more than any window and any frame, in each direction.
  message_of_4_mib: async () => {
    const size = 4 * 1024 * 1024;
    const { error, reply } = await unary(client, testService.UnaryCall, {
      sizes: [size],
      payload: 'b'.repeat(size),
    });
    assert.equal(error, null);
    assert.deepEqual([reply?.payload.length, reply?.bytes], [size, size]);
  },
};

const said: Record<string, string> = {};
for (const [name, run] of Object.entries(cases)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue;
  try {
    await run();
    said[name] = '';
  } catch (error) {
    said[name] = error instanceof Error ? error.message : String(error);
  }
}
console.log(JSON.stringify(said));
for (const one of [client, gzipClient, clientOfGzip]) one.close();
