// `--system-store` as root, on a copy of /etc: clients without a variable trust the gateway meanwhile, and nothing of it stays.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { hasPrivateEtc, withPrivateEtc } from '../clients/private-etc.ts';
import { runCommand } from '../support/command.ts';
import { deploy } from '../support/deployment.ts';
import { httpsOrigin } from '../support/origin.ts';
import { launcher } from '../support/program.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { createTestAuthority } from '../support/test-authority.ts';

/** Arguments: folder, URL, and the options of the session, one token after the other. */
const script = `
set -eu
folder=$1 url=$2 launcher=$3 first=$4 second=$5 third=$6 fourth=$7
shift 7
placed="$HOME/.local/state/upstreamproxy/placed"
start() { "$launcher" agent --system-store "$@" & agent=$!
  while [ ! -e "$folder/environment" ]; do sleep 0.05; done
  own=$(. "$folder/environment"; echo "$NODE_EXTRA_CA_CERTS"); rm "$folder/environment"; }
left() { while [ "$(ls "$placed" 2>/dev/null | wc -l)" != "$1" ]; do sleep 0.05; done; }
# Whoever takes things away after a kill holds the lock until all of it is gone.
state() { while [ -e /etc/.upstreamproxy.lock ]; do sleep 0.05; done
  (cd /etc && find . \\( -type f -o -type l \\) -printf '%p %m %U:%G %l\\n' | sort
  find . -type f -print0 | sort -z | xargs -0 sha256sum) > "$folder/$1"; }
state before
"$launcher" run --isolate off --system-store "$@" --token-file "$first" -- \\
  env -u SSL_CERT_FILE -u CURL_CA_BUNDLE curl -sS "$url"
state after-end
cmp "$folder/before" "$folder/after-end"
start "$@" --token-file "$second" --env-file "$folder/environment"
state during
if cmp -s "$folder/before" "$folder/during"; then echo "nothing was placed"; exit 1; fi
kill -9 "$agent"
wait "$agent" || true
left 0
state after-kill
cmp "$folder/before" "$folder/after-kill"
start "$@" --token-file "$third" --env-file "$folder/environment"
killed=$agent
start "$@" --token-file "$fourth" --env-file "$folder/environment"
kill -9 "$killed"
wait "$killed" || true
left 1
openssl verify -no-CAfile -CApath /etc/ssl/certs "$own" > /dev/null
kill "$agent"
wait "$agent" || true
left 0
state after-both
cmp "$folder/before" "$folder/after-both"
echo as before
`;

test('the system trusts the gateway for the time of its sessions, and is byte for byte as before, after kills too', async (context) => {
  await using folder = await temporaryDirectory();
  if (!hasPrivateEtc(folder.path))
    return context.skip('a copy of /etc cannot be mounted: not root, or no overlay');
  if ((await runCommand('curl', ['--version'])).code !== 0) return context.skip('curl is not installed');
  await using stack = new AsyncDisposableStack();
  const authority = createTestAuthority();
  const origin = stack.use(await httpsOrigin({ authority }));
  const rule = { name: 'api', hosts: ['api.test'], addresses: ['127.0.0.1/32'], ports: [origin.port] };
  const set = stack.use(await deploy({ authority, hosts: { 'api.test': '127.0.0.1' }, rules: [rule] }));
  const file = join(folder.path, 'script.sh');
  writeFileSync(file, script);
  const tokens = [];
  for (let count = 0; count < 4; count++) tokens.push(await set.issueToken());
  const options = ['--gateway', set.gateway.url, '--gateway-ca', set.gatewayCaFile, '--quiet'];
  await using mount = await temporaryDirectory();
  const command = ['sh', file, folder.path, origin.url('api.test', '/hello'), launcher];
  const [program = '', ...args] = withPrivateEtc(mount.path, [...command, ...tokens, ...options]);
  const env = { PATH: process.env['PATH'], HOME: folder.path };
  const { code, stdout, stderr } = await runCommand(program, args, { env, timeoutMs: 160_000 });
  assert.equal(code, 0, stderr + stdout);
  assert.equal(stdout, 'hello\nas before\n');
});
