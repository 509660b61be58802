import assert from 'node:assert/strict';
import { once } from 'node:events';
import { duplexPair } from 'node:stream';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { endBehind } from '../../../src/gateway/forward/end-half-open.ts';

for (const [what, end] of [
  ['ended', (far: NodeJS.WritableStream & { destroy(): unknown }) => void far.end()],
  ['gone', (far: NodeJS.WritableStream & { destroy(): unknown }) => void far.destroy()],
] as const)
  test(`a client that goes on after the other side has ${what} is cut off in time, and no sooner`, async (context) => {
    context.mock.timers.enable({ apis: ['setTimeout'] });
    const [client, socket] = duplexPair();
    const [onward, far] = duplexPair();
    onward.resume();
    client.on('error', () => undefined);
    endBehind(socket, onward, 1000);
    const over = Promise.race([once(onward, 'end'), once(onward, 'close')]);
    end(far);
    if (what === 'gone') onward.destroy();
    await over;
    client.write('for nobody');
    context.mock.timers.tick(999);
    await nextTurn();
    assert.equal(socket.destroyed, false);
    context.mock.timers.tick(1);
    assert.equal(socket.destroyed, true);
  });

test('a client that ends with the other side leaves no timer', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const [, socket] = duplexPair();
  const [onward, far] = duplexPair();
  onward.resume();
  endBehind(socket, onward, 1000);
  const over = once(onward, 'end');
  far.end();
  await over;
  const closed = once(socket, 'close');
  socket.destroy();
  await closed;
  context.mock.timers.tick(2000);
  assert.equal(socket.errored, null);
});
