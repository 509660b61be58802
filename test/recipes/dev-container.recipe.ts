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

/** What is done in the image and in the container; each `--` begins what the test looks at. */
const inside = `set -eu
cd /feature
PACKAGE=/package.tgz GATEWAY="$1" ./install.sh > /install.log 2>&1 || { cat /install.log >&2; exit 1; }
/usr/local/share/upstreamproxy/start.sh || echo "start.sh ended with $?"
echo "-- agent"
# Its folder is root's, because it is closed to its own user; its status tells whose it is.
for process in /proc/[0-9]*; do
  if grep -q '[e]nvironment.sh' $process/cmdline 2> /dev/null; then
    getent passwd "$(sed -n 's/^Uid:\\t\\([0-9]*\\).*/\\1/p' $process/status)" | cut -d: -f1
  fi
done | sort -u
echo "-- token"
stat -c %s /run/secrets/upstreamproxy-token
setpriv --reuid 1000 --regid 1000 --clear-groups cat /run/secrets/upstreamproxy-token 2> /dev/null || echo closed
echo "-- request"
variables=$(node -p 'Object.entries(JSON.parse(require("fs").readFileSync("/devcontainer.json")).containerEnv).map(([name, value]) => name + "=" + value).join(" ")')
setpriv --reuid 1000 --regid 1000 --clear-groups env $variables curl -sS https://api.example.com/v1/items | head -1
echo "-- shell"
setpriv --reuid 1000 --regid 1000 --clear-groups sh -c '. /etc/profile.d/upstreamproxy.sh; echo "$HTTPS_PROXY $UPSTREAMPROXY_TEST_TOKEN"'
`;

interface ContainerStart {
  readonly folder: string;
  /** Where the package is. */
  readonly packed: string;
  readonly set: Deployment;
  readonly token: string;
}

/** Runs it in an overlay of this machine's files, in which all processes end with it. */
async function inContainer({ folder, packed, set, token }: ContainerStart): Promise<CommandResult> {
  const place = join(folder, 'root');
  await mkdir(place, { recursive: true });
  await writeFile(join(folder, 'inside.sh'), inside);
  const script = `set -eu
mount -t tmpfs tmpfs ${place} && mkdir ${place}/u ${place}/w ${place}/m
mount -t overlay overlay -o lowerdir=/,upperdir=${place}/u,workdir=${place}/w ${place}/m
cd ${place}/m && mkdir -p feature run/secrets
cp -r ${source}/upstreamproxy/. feature && cp ${packed}/*.tgz package.tgz && cp ${folder}/inside.sh inside.sh
cp ${join(root, 'deploy/recipes/dev-container/devcontainer.json')} devcontainer.json
cp ${set.gatewayCaFile} run/secrets/upstreamproxy-ca.pem
cp ${token} run/secrets/upstreamproxy-token && chmod 600 run/secrets/upstreamproxy-token
mount -t proc proc proc && mount --rbind /dev dev
exec chroot . sh /inside.sh ${set.gateway.url}`;
  const args = ['-m', '-p', '-f', '--kill-child', '--propagation', 'private', 'sh', '-c', script];
  const env = { PATH: '/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME: process.env['HOME'] };
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

  test('its agent has a user of its own, the token is closed and used up, and a request arrives at the gateway', async () => {
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
        token: await set.issueToken(),
      });
      assert.equal(code, 0, stderr);
      const [, agent = '', token = '', request = '', shell = ''] = stdout.split(/^-- .*\n/m);
      assert.equal(agent, 'upstreamproxy\n', stdout + stderr);
      assert.equal(token, '0\nclosed\n');
      assert.match(request, /^upstreamproxy: No rule allows GET https:\/\/api\.example\.com\/v1\/items\./);
      assert.equal(shell, 'http://127.0.0.1:3128 upstreamproxy-placeholder-test\n');
    });
  });

  test('with a token that is none, its start says so, and the container has no proxy', async () => {
    await withTemporaryDirectory(async (folder) => {
      await using set = await deploy({ rules: [] });
      const wrong = join(folder, 'wrong');
      await copyFile(set.configFile, wrong);
      const { stdout, stderr } = await inContainer({ folder, packed: packed.path, set, token: wrong });
      assert.match(stderr, /the agent did not start, so the container has no way out:/);
      const [said = '', agent = ''] = stdout.split(/^-- .*\n/m);
      assert.match(said, /start\.sh ended with 1/);
      assert.equal(agent, '');
    });
  });
});
