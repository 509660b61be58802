// The Feature of deploy/recipes/dev-container: the CLI of dev containers packs it, and a root file system of its own, in which this machine's
// programs are, takes it as an image would. Then its entry point starts, before a real gateway.

import assert from 'node:assert/strict';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { openRunFolder } from '../../scripts/test-program.ts';
import { mustRun, runCommand, type CommandResult } from '../support/command.ts';
import { deploy, type Deployment } from '../support/deployment.ts';
import {
  temporaryDirectory,
  type TemporaryDirectory,
  withTemporaryDirectory,
} from '../support/temporary-directory.ts';
import { skipWithout } from '../support/tools.ts';
import { toolPrograms, withoutTools } from './support/recipe-tools.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const source = join(root, 'deploy/recipes/dev-container/src');
const installTimeoutMs = 300_000;
const obstacle =
  process.getuid?.() === 0
    ? skipWithout('npm', 'unshare', 'setpriv', 'useradd', 'chroot', 'curl')
    : 'a root file system needs root';

test('the CLI of dev containers packs the Feature', { skip: withoutTools }, async () => {
  await withTemporaryDirectory(async (folder) => {
    const { devcontainer } = toolPrograms;
    const out = join(folder, 'out');
    await mustRun(process.execPath, [devcontainer, 'features', 'package', source, '--output-folder', out]);
    const archive = join(out, 'devcontainer-feature-upstreamproxy.tgz');
    const names = (await mustRun('tar', ['tf', archive])).split('\n').toSorted();
    assert.deepEqual(names, ['', './', './devcontainer-feature.json', './install.sh', './start.sh']);
  });
});

/** The package of this checkout, as npm makes it. */
async function packageFile(folder: string): Promise<void> {
  await using run = await openRunFolder(root);
  const options = ['pack', '--ignore-scripts', '--pack-destination', folder];
  await mustRun('npm', options, { cwd: join(run.path, 'package') });
}

/** In place of Docker: the gateway of its Compose file gives the next token, and what it runs has the volume. */
const docker = `#!/bin/sh
case $1 in
  ps) cat /running 2> /dev/null || true ;;
  compose) set -- /tokens/*; cat "$1"; rm "$1" ;;
  run) for last in "$@"; do :; done; exec sh -c "$last" ;;
esac
`;

/** A program that the user of the container put in front of one of the system's: it notes that it was called, and by whom. */
const planted = `#!/bin/sh
name=\${0##*/}
PATH=\${PATH#/planted:}
echo "$name as $(id -u)" >> /planted.log
exec "$name" "$@"
`;

/** What is done in the image and in the container; each `--` begins what the test looks at. */
const inside = `set -eu
cd /feature
PACKAGE=/package.tgz GATEWAY="$1" ./install.sh > /install.log 2>&1 || { cat /install.log >&2; exit 1; }
mkdir -p /run/secrets/upstreamproxy && ln -s /run/secrets/upstreamproxy /secrets
for name in cat chmod dirname env install kill node rm setpriv sh sleep upstreamproxy; do cp /planted/program /planted/$name; done
: > /planted.log && chmod 666 /planted.log
token=/run/secrets/upstreamproxy/token
as_user() { setpriv --reuid 1000 --regid 1000 --clear-groups "$@"; }
issue() { PATH=/docker:$PATH /recipe/issue-token.sh project /project; }
start() { PATH=/planted:$PATH /usr/local/share/upstreamproxy/start.sh || echo "start.sh ended with $?"; }
agents() { grep -l '[e]nvironment.sh' /proc/[0-9]*/cmdline 2> /dev/null | cut -d/ -f3; }
variables=$(node -p 'Object.entries(JSON.parse(require("fs").readFileSync("/recipe/devcontainer.json")).containerEnv).map(([name, value]) => name + "=" + value).join(" ")')
request() { as_user env $variables curl -sS https://api.example.com/v1/items | head -1; }
issue
# As if it were a file that the user made outside, whose number is that of the user inside.
chown 1000 $token
[ -s $token ]
echo "-- token before"
as_user cat $token 2> /dev/null || echo closed
start
echo "-- agent"
# Its folder is root's, because it is closed to its own user; its status tells whose it is.
for process in $(agents); do
  getent passwd "$(sed -n 's/^Uid:\\t\\([0-9]*\\).*/\\1/p' /proc/$process/status)" | cut -d: -f1
done | sort -u
echo "-- token"
stat -c %s $token
as_user cat $token 2> /dev/null || echo closed
echo "-- request"
request
echo "-- shell"
as_user sh -c '. /etc/profile.d/upstreamproxy.sh; echo "$HTTPS_PROXY $UPSTREAMPROXY_TEST_TOKEN"'
[ -n "$(agents)" ] || exit 0
echo "-- while it runs"
echo of-a-container > /running
issue
ls /tokens | wc -l
rm /running
echo "-- second start"
# As the end of a container does.
stop() { kill -KILL $(agents); until [ -z "$(agents)" ]; do sleep 0.1; done; }
stop
[ -s /run/upstreamproxy/environment.sh ]
issue
start
request
echo "-- start without a token"
stop
start 2> /dev/null
echo "-- planted"
cat /planted.log
`;

interface ContainerStart {
  readonly folder: string;
  /** Where the package is. */
  readonly packed: string;
  readonly set: Deployment;
  readonly tokens: readonly string[];
}

/** Runs it in an overlay of this machine's files, in which all processes end with it. */
async function inContainer({ folder, packed, set, tokens }: ContainerStart): Promise<CommandResult> {
  const place = join(folder, 'root');
  await mkdir(place, { recursive: true });
  for (const [name, text] of Object.entries({ 'inside.sh': inside, docker, program: planted }))
    await writeFile(join(folder, name), text, { mode: 0o755 });
  const script = `set -eu
mount -t tmpfs tmpfs ${place} && mkdir ${place}/u ${place}/w ${place}/m
mount -t overlay overlay -o lowerdir=/,upperdir=${place}/u,workdir=${place}/w ${place}/m
cd ${place}/m && mkdir -p feature run/secrets recipe docker planted tokens
cp -r ${source}/upstreamproxy/. feature && cp ${packed}/*.tgz package.tgz && cp ${folder}/inside.sh inside.sh
cp ${join(source, '..')}/devcontainer.json ${join(source, '..')}/issue-token.sh recipe
cp ${folder}/docker docker && cp ${folder}/program planted && cp ${tokens.join(' ')} tokens
cp ${set.gatewayCaFile} run/secrets/upstreamproxy-ca.pem
mount -t proc proc proc && mount --rbind /dev dev
exec chroot . sh /inside.sh ${set.gateway.url}`;
  const args = ['-m', '-p', '-f', '--kill-child', '--propagation', 'private', 'sh', '-c', script];
  const { HOME, NODE_EXTRA_CA_CERTS } = process.env;
  const PATH = '/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
  // npm reaches the registry as it does here, and takes what it has.
  const env = { PATH, HOME, NODE_EXTRA_CA_CERTS, npm_config_prefer_offline: 'true' };
  return await runCommand('unshare', args, { env, timeoutMs: installTimeoutMs });
}

describe('the Feature in an image', { skip: obstacle }, () => {
  let packed: TemporaryDirectory;
  before(
    async () => {
      packed = await temporaryDirectory();
      await packageFile(packed.path);
    },
    { timeout: installTimeoutMs },
  );
  after(async () => await packed[Symbol.asyncDispose]());

  test('its agent has a user of its own, the token is closed and used up, requests arrive also after a second start, and root runs nothing of the user', async () => {
    await withTemporaryDirectory(async (folder) => {
      const credentials = {
        test: {
          kind: 'bearer',
          source: { env: 'TEST_SECRET' },
          placeholder: { env: 'UPSTREAMPROXY_TEST_TOKEN' },
        },
      };
      const environment = { TEST_SECRET: 'example-secret-1' };
      await using set = await deploy({ rules: [], credentials, environment });
      const { code, stdout, stderr } = await inContainer({
        folder,
        packed: packed.path,
        set,
        tokens: [await set.issueToken(), await set.issueToken()],
      });
      assert.equal(code, 0, stdout + stderr);
      const said = new Map(
        stdout.split(/^-- /m).map((part) => {
          const end = part.indexOf('\n');
          return [part.slice(0, end), part.slice(end + 1)];
        }),
      );
      const refused = /^upstreamproxy: No rule allows GET https:\/\/api\.example\.com\/v1\/items\./;
      assert.equal(said.get('token before'), 'closed\n', stderr);
      assert.equal(said.get('agent'), 'upstreamproxy\n', stdout + stderr);
      assert.equal(said.get('token'), '0\nclosed\n');
      assert.match(said.get('request') ?? '', refused);
      assert.equal(said.get('shell'), 'http://127.0.0.1:3128 upstreamproxy-placeholder-test\n');
      // No token is issued for a container that runs.
      assert.equal(said.get('while it runs'), '1\n');
      assert.match(said.get('second start') ?? '', refused);
      assert.equal(said.get('start without a token'), 'start.sh ended with 1\n');
      assert.equal(said.get('planted'), '');
    });
  });

  test('with a token that is none, its start says so, and the container has no proxy', async () => {
    await withTemporaryDirectory(async (folder) => {
      await using set = await deploy({ rules: [] });
      const wrong = join(folder, 'wrong');
      await copyFile(set.configFile, wrong);
      const { stdout, stderr } = await inContainer({ folder, packed: packed.path, set, tokens: [wrong] });
      assert.match(stderr, /the agent did not start, so the container has no way out:/);
      const [, said = '', agent = ''] = stdout.split(/^-- .*\n/m);
      assert.match(said, /start\.sh ended with 1/);
      assert.equal(agent, '');
    });
  });
});
