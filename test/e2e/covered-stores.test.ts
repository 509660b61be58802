// Clients that take trust from the system alone, under plain `run`: the stores have the CA in the command's own mount namespace, and
// nowhere else.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { chmod, chown, copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { captureObstacle } from '../support/capture-obstacle.ts';
import { runCommand } from '../support/command.ts';
import { deploy, type Deployment } from '../support/deployment.ts';
import { mountPlaces } from '../support/mount-places.ts';
import { httpsOrigin } from '../support/origin.ts';
import { launcher } from '../support/program.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { findTool } from '../support/tools.ts';
import { tlsEndsInAgent } from '../support/tls-end.ts';

const isRoot = process.geteuid?.() === 0;
const nobody = 65534;
const bundle = '/etc/ssl/certs/ca-certificates.crt';
const drop = ['setpriv', `--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups', '--inh-caps=-all'];
const users = [
  { name: isRoot ? 'root' : 'this user', uid: process.geteuid?.() ?? 0, prefix: [] as readonly string[] },
  ...(isRoot && findTool('setpriv') !== undefined
    ? [{ name: 'nobody', uid: nobody, prefix: [...drop, '--bounding-set=-all'] }]
    : []),
];

function obstacle(): string | false {
  const missing = ['curl', 'openssl'].find((tool) => findTool(tool) === undefined);
  if (missing !== undefined) return `${missing} is not installed`;
  // This layout is one of those that store-covers.test.ts looks at; here a client does.
  if (readdirSync('/etc/ssl/certs').includes('ca-certificates.crt') !== true) return `there is no ${bundle}`;
  return captureObstacle();
}

/** The system's folder as everybody sees it. */
function outside(): string {
  const hash = createHash('sha256').update(readFileSync(bundle));
  return [hash.digest('hex'), ...readdirSync('/etc/ssl/certs'), ...readdirSync('/etc')].join('\n');
}

/** Without what the agent sets for trust; the CA is in no store but the system's. */
const unset = ['SSL_CERT_FILE', 'SSL_CERT_DIR', 'CURL_CA_BUNDLE'].map((name) => `-u ${name}`).join(' ');

describe('the stores of the system', { skip: obstacle() }, () => {
  let set: Deployment;
  let url: string;
  const stack = new AsyncDisposableStack();
  before(async () => {
    const authority = createTestAuthority();
    const origin = stack.use(await httpsOrigin({ authority }));
    url = origin.url('api.test', '/hello');
    const rules = [{ name: 'api', hosts: ['api.test'], addresses: ['127.0.0.1/32'], ports: [origin.port] }];
    set = stack.use(await deploy({ authority, hosts: { 'api.test': '127.0.0.1' }, rules }));
  });
  after(() => stack.disposeAsync());

  for (const [index, { name, uid, prefix }] of users.entries()) {
    /** A script in a `run` of that user. */
    const run = async (script: string, ...options: readonly string[]): ReturnType<typeof runCommand> => {
      await using folder = await temporaryDirectory();
      const token = join(folder.path, 'token');
      const authority = join(folder.path, 'ca.pem');
      await copyFile(await set.issueToken(), token);
      await copyFile(set.gatewayCaFile, authority);
      await mkdir(join(folder.path, 'home'));
      await chmod(token, 0o600);
      for (const path of ['', 'token', 'ca.pem', 'home'])
        if (isRoot) await chown(join(folder.path, path), uid, uid);
      const gateway = ['--gateway', set.gateway.url, '--gateway-ca', authority, '--token-file', token];
      const [file = '', ...args] = [...prefix, launcher, 'run', ...gateway, ...options];
      const env = { PATH: process.env['PATH'], HOME: join(folder.path, 'home'), url };
      return await runCommand(file, [...args, '--', 'sh', '-c', script], { env, cwd: '/' });
    };
    const fetch = `env ${unset} curl -sS "$url"`;

    test(`${name}: a client that reads no variable trusts the gateway, and nothing changes outside`, async () => {
      const before = { outside: outside(), mounts: (await mountPlaces()).join('\n') };
      const verify = `openssl verify -no-CAfile -no-CAstore -CApath /etc/ssl/certs "$NODE_EXTRA_CA_CERTS"`;
      const roots = `grep -c BEGIN ${bundle}; wc -l <"$SSL_CERT_FILE" >/dev/null`;
      const { code, stdout, stderr } = await run(`${fetch}; ${verify}; ${roots}; umount /etc/ssl/certs`);
      assert.match(stdout, /^hello\n.*: OK\n/s, stderr);
      const certificates = readFileSync(bundle, 'utf8').split('BEGIN CERTIFICATE').length - 1;
      // The gateway's, and the root of the session where TLS ends in the agent.
      const own = tlsEndsInAgent ? 2 : 1;
      assert.ok(stdout.includes(`\n${certificates + own}\n`), `the system's own are there too: ${stdout}`);
      assert.notEqual(code, 0, 'what is laid over them cannot be taken away');
      assert.deepEqual({ outside: outside(), mounts: (await mountPlaces()).join('\n') }, before);
    });

    const other = { skip: index > 0 && 'root shows it' };
    test(`${name}: without a mount namespace it does not`, other, async () => {
      const { stderr } = await run(`${fetch}; true`, '--isolate=off');
      assert.match(stderr, /SSL certificate problem|self-signed certificate/);
    });

    test(`${name}: also where it may write nearly nowhere, and there it cannot write in them`, async () => {
      const write = 'touch /etc/ssl/certs/x || echo refused';
      const { stdout, stderr } = await run(`${fetch}; ${write}`, '--fs-write', '/dev');
      assert.equal(stdout, 'hello\nrefused\n', stderr);
    });

    test(`${name}: without a session they are as outside`, other, async () => {
      const options = ['--gateway', 'https://127.0.0.1:1', '--on-failure=continue'];
      const { stdout, stderr } = await run(`sha256sum <${bundle}; ls -A /etc/ssl/certs`, ...options);
      const hash = createHash('sha256').update(readFileSync(bundle)).digest('hex');
      const names = readdirSync('/etc/ssl/certs').toSorted();
      const [line = '', ...seen] = stdout.trim().split('\n');
      assert.ok(line.startsWith(hash), stderr);
      assert.deepEqual(seen.toSorted(), names);
    });
  }
});
