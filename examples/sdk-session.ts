// An orchestrator starts a command in a session of its own, grants what it asks for, and ends the session.
// node sdk-session.ts COMMAND…, with UPSTREAMPROXY_ADMIN, UPSTREAMPROXY_ADMIN_CA, UPSTREAMPROXY_ADMIN_TOKEN_FILE,
// UPSTREAMPROXY_GATEWAY and UPSTREAMPROXY_GATEWAY_CA set. The command stands for your container.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openAdmin } from 'upstreamproxy/admin';

const { env } = process;
const folder = await mkdtemp(join(tmpdir(), 'orchestrator-'));
const adminCa = env['UPSTREAMPROXY_ADMIN_CA'];
await using admin = await openAdmin({
  server: env['UPSTREAMPROXY_ADMIN'] ?? '',
  tokenFile: env['UPSTREAMPROXY_ADMIN_TOKEN_FILE'] ?? '',
  ...(adminCa === undefined ? {} : { ca: await readFile(adminCa, 'utf8') }),
});

const gatewayCaFile = env['UPSTREAMPROXY_GATEWAY_CA'];
const started = await admin.startSession({
  subject: 'build-17',
  claims: { team: 'web' },
  seconds: 120,
  gateway: env['UPSTREAMPROXY_GATEWAY'] ?? '',
  ...(gatewayCaFile === undefined ? {} : { gatewayCaFile }),
  tokenFile: join(folder, 'session-token'),
});
try {
  // Followed before anything runs, so nothing is missed.
  await using denials = await admin.events({ principal: started.principal, verdict: 'deny' });
  const command = spawn('upstreamproxy', ['run', '--', ...process.argv.slice(2)], {
    env: { ...env, ...started.env },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const ended = once(command, 'exit');

  const session = await started.ready({ timeoutMs: 60_000 });
  console.log(`started as ${session.principal}`);

  for await (const item of denials) {
    if (item.kind === 'gap') continue;
    console.log(`refused ${item.event.method} ${item.event.host}${item.event.path}`);
    break;
  }

  const asked = await admin.nextAccessRequest({ session: session.id }, { timeoutMs: 60_000 });
  const granted = await admin.grant(asked.id, { seconds: 60, note: 'for this build' });
  console.log(`granted ${granted.asked.host}: ${granted.reason}`);

  const [code] = await ended;
  console.log(`ended with ${code}`);
} finally {
  const end = await started.end({ reason: 'the build is over' });
  console.log(`session ${end?.session.state}, missing: ${end?.confirmation.missing.length}`);
  await rm(folder, { recursive: true });
}
