import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freeConsolePort, type HoldPort } from '../../../src/cli/run/console-port.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';

/** Gives 1001, 1002 and so on, and lets the other address be refused. */
function machine(refusal: (port: number) => string | undefined): {
  readonly hold: HoldPort;
  readonly asked: string[];
} {
  const asked: string[] = [];
  let last = 1000;
  const hold: HoldPort = async (address, port) => {
    asked.push(`${address} ${port}`);
    const code = port === 0 ? undefined : refusal(port);
    if (code !== undefined) throw Object.assign(new Error(code), { code });
    return { port: port === 0 ? ++last : port, [Symbol.asyncDispose]: async () => undefined };
  };
  return { hold, asked };
}

test('a port that is taken at the other address of loopback is none, nor one that the command may reach', async () => {
  const { hold, asked } = machine((port) => (port === 1002 ? 'EADDRINUSE' : undefined));
  assert.equal(await freeConsolePort([1001], hold), 1003);
  assert.deepEqual(asked, ['127.0.0.1 0', '127.0.0.1 0', '::1 1002', '127.0.0.1 0', '::1 1003']);
});

test('a machine without IPv6 has ports all the same', async () => {
  for (const code of ['EADDRNOTAVAIL', 'EAFNOSUPPORT'])
    assert.equal(await freeConsolePort([], machine(() => code).hold), 1001);
});

test('where every port is taken the search ends', async () => {
  for (const code of ['EADDRINUSE', 'EACCES']) {
    const { hold, asked } = machine(() => code);
    await assert.rejects(freeConsolePort([], hold), { code: 'gateway_port_unusable' });
    assert.equal(asked.length, 2 * defaultLimits.relayPortAttemptsMax);
  }
});
