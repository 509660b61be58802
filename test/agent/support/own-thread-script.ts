// Brings a proxy up, and is blocked by a client of its relay: does the client get through?

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { initUpstreamProxy } from '../../../src/agent/init.ts';

const [, , folder = '', gatewayUrl = '', thread = ''] = process.argv;
await using proxy = await initUpstreamProxy({
  gatewayUrl,
  tokenFile: `${folder}/token`,
  gatewayCa: readFileSync(`${folder}/gateway.pem`, 'utf8'),
  stateDirectory: `${folder}/state`,
  ownThread: thread === 'own',
  environment: {},
  onFailure: 'throw',
});
const client = `
  const socket = require('node:net').connect(${proxy.port}, '127.0.0.1', () => {
    socket.write('CONNECT origin.test:443 HTTP/1.1\\r\\n\\r\\nping');
  });
  socket.on('data', (chunk) => {
    if (!String(chunk).includes('ping')) return;
    console.log('served');
    process.exit();
  });
`;
try {
  // Without a thread of its own nobody serves it for as long as this waits.
  const timeout = thread === 'own' ? 30_000 : 1_500;
  process.stdout.write(
    execFileSync(process.execPath, ['-e', client], { timeout, stdio: ['ignore', 'pipe', 'ignore'] }),
  );
} catch {
  console.log('nobody served it');
}
