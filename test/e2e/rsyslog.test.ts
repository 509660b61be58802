// A receiver that is not ours reads our syslog: rsyslog over TLS, where it is installed.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';

import { SyslogConnection } from '../../src/gateway/telemetry/syslog-connection.ts';
import { createDialer } from '../../src/net/dialer.ts';
import { createResolver } from '../../src/net/resolver.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { freePort } from '../support/free-port.ts';
import { endChild, waitUntil } from '../support/program.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { createTestAuthority } from '../support/test-authority.ts';

const drivers = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu'].map(
  (folder) => `${folder}/rsyslog/lmnsd_gtls.so`,
);
const isThere = spawnSync('rsyslogd', ['-v']).error === undefined && drivers.some((path) => existsSync(path));
const without = isThere ? false : 'rsyslogd with TLS is not installed (Debian: rsyslog, rsyslog-gnutls)';

/** One line for each message: its parts, divided by bars. */
function configuration(folder: string, port: number): string {
  const parts = ['pri', 'timestamp', 'hostname', 'app-name', 'msgid', 'structured-data', 'msg']
    .map((name) => `property(name="${name}"${name === 'timestamp' ? ' dateFormat="rfc3339"' : ''})`)
    .join(' constant(value="|") ');
  return `
global(workDirectory="${folder}" defaultNetstreamDriver="gtls" defaultNetstreamDriverCAFile="${folder}/ca.pem"
  defaultNetstreamDriverCertFile="${folder}/cert.pem" defaultNetstreamDriverKeyFile="${folder}/key.pem")
module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="anon")
template(name="parts" type="list") { ${parts} constant(value="\\n") }
input(type="imtcp" port="${port}" address="127.0.0.1")
action(type="omfile" file="${folder}/out.log" template="parts")
`;
}

async function isListening(port: number): Promise<boolean> {
  const socket = connect({ host: '127.0.0.1', port });
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

test(
  'rsyslog reads each message whole, and its structured data as it was meant',
  { skip: without },
  async () => {
    await using stack = new AsyncDisposableStack();
    const folder = stack.use(await temporaryDirectory()).path;
    const authority = createTestAuthority();
    const { cert, key } = authority.issue('127.0.0.1');
    const port = await freePort();
    const texts = {
      'ca.pem': authority.caPem,
      'cert.pem': cert,
      'key.pem': key,
      'rsyslog.conf': configuration(folder, port),
    };
    for (const [name, text] of Object.entries(texts))
      await writeFile(join(folder, name), text, { mode: 0o600 });
    const args = ['-n', '-f', join(folder, 'rsyslog.conf'), '-i', join(folder, 'pid')];
    const child = spawn('rsyslogd', args, { stdio: 'ignore' });
    stack.defer(() => endChild(child));
    await waitUntil('rsyslog listens', () => isListening(port));
    const resolver = stack.use(createResolver({ limits: defaultLimits, hostsFile: false }));
    const connection = stack.use(
      new SyslogConnection({
        dialer: createDialer({ resolver, trust: [], limits: defaultLimits, reachesThisMachine: true }),
        host: '127.0.0.1',
        port,
        ca: [authority.caPem],
        sender: {
          facility: 13,
          hostname: 'gateway.test',
          processId: 1,
          structuredDataId: 'upstreamproxy@32473',
        },
      }),
    );
    const events = Array.from({ length: 300 }, (_, i) => ({
      v: 1,
      id: `e${i}`,
      time: '2030-01-01T00:00:00.123Z',
      kind: 'exchange',
      traceId: 'a'.repeat(32),
      verdict: 'deny',
      host: 'x"] [forged@1 a="\n\\',
      path: '/k\u00e4se',
    }));
    const delivery = await connection.deliver(
      events.map((event) => JSON.stringify(event)),
      new AbortController().signal,
    );
    assert.equal(delivery.outcome, 'taken');
    const lines = async (): Promise<readonly string[]> =>
      (await readFile(join(folder, 'out.log'), 'utf8').catch(() => '')).split('\n').slice(0, -1);
    await waitUntil('rsyslog has written all of it', async () => (await lines()).length >= events.length);
    const written = await lines();
    assert.equal(written.length, events.length, 'no message made a line of its own');
    for (const [i, line] of written.entries()) {
      const [priority, time, hostname, application, messageId, data = '', ...rest] = line.split('|');
      assert.deepEqual(
        [priority, time, hostname, application, messageId],
        ['108', '2030-01-01T00:00:00.123Z', 'gateway.test', 'upstreamproxy', 'exchange'],
      );
      assert.ok(data.endsWith('host="x\\"\\] [forged@1 a=\\" \\\\"]'), data);
      assert.deepEqual(JSON.parse(rest.join('|')), events[i]);
    }
  },
);
