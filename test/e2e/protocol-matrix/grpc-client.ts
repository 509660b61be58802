// grpc-js as a client of the relay: `node grpc-client.ts <what> <host:port>` in the environment that the agent prints.
// It finds proxy and roots there by itself. Prints one line of JSON.

import assert from 'node:assert/strict';
import { once } from 'node:events';

import { credentials, makeGenericClientConstructor, Metadata, status } from '@grpc/grpc-js';
import type { ServiceError } from '@grpc/grpc-js';

import { echoService } from './grpc-origin.ts';

const EchoClient = makeGenericClientConstructor(echoService, 'Echo');
const [what = '', authority = ''] = process.argv.slice(2);
const client = new EchoClient(authority, credentials.createSsl());

interface Reply {
  readonly error: ServiceError | null;
  readonly message: string;
}

function unary(name: 'Unary' | 'Fail' | 'Hang', text: string, deadlineMs?: number): Promise<Reply> {
  const { promise, resolve } = Promise.withResolvers<Reply>();
  const options = deadlineMs === undefined ? {} : { deadline: Date.now() + deadlineMs };
  // Methods of a generic client are declared as `any`-like functions.
  client[name]?.(Buffer.from(text), new Metadata(), options, (error: ServiceError | null, reply?: Buffer) => {
    resolve({ error, message: String(reply) });
  });
  return promise;
}

const actions: Readonly<Record<string, () => Promise<unknown>>> = {
  unary: async () => {
    const { error, message } = await unary('Unary', 'hello');
    assert.equal(error, null);
    const failed = await unary('Fail', '');
    assert.equal(failed.error?.code, status.FAILED_PRECONDITION);
    return { message, details: failed.error.details };
  },
  'server-stream': async () => {
    const call = client['ServerStream']?.(Buffer.from('event'));
    const messages: string[] = [];
    call.on('data', (message: Buffer) => messages.push(String(message)));
    const [end] = (await once(call, 'status')) as [{ code: number }];
    assert.equal(end.code, status.OK);
    return { messages };
  },
  'client-stream': async () => {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const call = client['ClientStream']?.((error: ServiceError | null, reply?: Buffer) => {
      if (error === null) resolve(String(reply));
      else reject(error);
    });
    for (let i = 0; i < 5; i++) call.write(Buffer.alloc(100_000, i));
    call.end();
    return { bytes: Number(await promise) };
  },
  bidirectional: async () => {
    const call = client['Bidirectional']?.();
    const messages: string[] = [];
    // The next is sent when the last came back: nothing in between may wait for more.
    for (const text of ['one', 'two', 'three']) {
      call.write(Buffer.from(text));
      const [message] = (await once(call, 'data')) as [Buffer];
      messages.push(String(message));
    }
    call.end();
    call.resume();
    const [end] = (await once(call, 'status')) as [{ code: number }];
    assert.equal(end.code, status.OK);
    return { messages };
  },
  'give-up': async () => {
    const late = await unary('Hang', '', 500);
    assert.equal(late.error?.code, status.DEADLINE_EXCEEDED);
    const { promise, resolve } = Promise.withResolvers<number | undefined>();
    const call = client['Hang']?.(Buffer.alloc(0), (error: ServiceError | null) => resolve(error?.code));
    call.on('metadata', () => call.cancel());
    assert.equal(await promise, status.CANCELLED);
    return { gaveUp: 2 };
  },
};

console.log(JSON.stringify(await actions[what]?.()));
client.close();
