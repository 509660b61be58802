// A program that starts the commands of others behind the proxy, for Node and for Bun.
// node --disable-sigusr1 library.mjs, with UPSTREAMPROXY_GATEWAY and UPSTREAMPROXY_TOKEN_FILE set.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { initUpstreamProxy } from 'upstreamproxy';

await using proxy = await initUpstreamProxy({
  gatewayUrl: process.env.UPSTREAMPROXY_GATEWAY,
  gatewayCa: process.env.UPSTREAMPROXY_GATEWAY_CA,
  tokenFile: process.env.UPSTREAMPROXY_TOKEN_FILE,
});
if (!proxy.enabled) throw new Error(proxy.reason);
if (proxy.displaced.length > 0) console.error(`these settings give way: ${proxy.displaced.join(', ')}`);

// The children get the variables; this process does not need them.
const [command = 'npm', ...args] = process.argv.slice(2);
const child = spawn(command, args, { env: { ...process.env, ...proxy.env }, stdio: 'inherit' });
const [code] = await once(child, 'exit');
process.exitCode = code ?? 1;
