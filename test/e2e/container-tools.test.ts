// podman and buildah under `run`: the default jail refuses them, and what the doctor prints is tried as it stands.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import type { DoctorReport } from '../../src/agent/doctor/doctor.ts';
import { hasPrivateEtc, withPrivateEtc } from '../clients/private-etc.ts';
import { captureObstacle } from '../support/capture-obstacle.ts';
import { runCommand } from '../support/command.ts';
import { launcher } from '../support/program.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { findTool } from '../support/tools.ts';

const tools = ['podman', 'buildah'] as const;
const isRoot = process.geteuid?.() === 0;
const nobody = 65534;
const drop = ['setpriv', `--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups', '--inh-caps=-all'];

interface User {
  readonly name: string;
  readonly uid: number;
  readonly prefix: readonly string[];
  /** Other numbers are set aside for it. */
  readonly hasRanges?: boolean;
}

const users: readonly User[] = isRoot
  ? [
      { name: 'root', uid: 0, prefix: [] },
      { name: 'nobody', uid: nobody, prefix: [...drop, '--bounding-set=-all'] },
      { name: 'nobody with ranges of users', uid: nobody, prefix: drop, hasRanges: true },
    ]
  : [{ name: 'this user', uid: process.geteuid?.() ?? 0, prefix: [] }];

function obstacle(): string | false {
  const missing = [...tools, 'tar'].find((tool) => findTool(tool) === undefined);
  return missing === undefined ? captureObstacle() : `${missing} is not installed`;
}

/** An image of one file, in the layout that tools read from a folder. */
function writeImage(folder: string): void {
  mkdirSync(join(folder, 'blobs/sha256'), { recursive: true });
  writeFileSync(join(folder, 'hello'), 'hello\n');
  const layer = execFileSync('tar', ['-c', '--owner=0', '--group=0', '-C', folder, 'hello']);
  const blob = (content: string | Uint8Array, type: string) => {
    const digest = createHash('sha256').update(content).digest('hex');
    writeFileSync(join(folder, 'blobs/sha256', digest), content);
    return {
      mediaType: `application/vnd.oci.image.${type}`,
      digest: `sha256:${digest}`,
      size: Buffer.byteLength(content),
    };
  };
  const tar = blob(layer, 'layer.v1.tar');
  const machine = { architecture: process.arch === 'x64' ? 'amd64' : process.arch, os: 'linux' };
  const config = { ...machine, config: {}, rootfs: { type: 'layers', diff_ids: [tar.digest] } };
  const parts = { config: blob(JSON.stringify(config), 'config.v1+json'), layers: [tar] };
  const manifest = blob(JSON.stringify({ schemaVersion: 2, ...parts }), 'manifest.v1+json');
  const annotations = { 'org.opencontainers.image.ref.name': 'latest' };
  const index = { schemaVersion: 2, manifests: [{ ...manifest, annotations }] };
  writeFileSync(join(folder, 'index.json'), JSON.stringify(index));
  writeFileSync(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
}

/** Without the jail, podman leaves a process that holds its namespaces. */
function endPause(file: string): void {
  if (!existsSync(file)) return;
  try {
    process.kill(Number(readFileSync(file, 'utf8')), 'SIGKILL');
  } catch (error) {
    // It ended by itself, and its file stayed.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

describe('podman and buildah in the jail', { skip: obstacle() }, () => {
  for (const { name, uid, prefix, hasRanges = false } of users)
    test(`as ${name} they do with what the doctor prints, and not without`, async (context) => {
      await using folder = await temporaryDirectory();
      if (hasRanges && !hasPrivateEtc(folder.path)) return context.skip('no private /etc here');
      chmodSync(folder.path, 0o755);
      writeImage(join(folder.path, 'image'));
      writeFileSync(join(folder.path, 'policy.json'), '{"default":[{"type":"insecureAcceptAnything"}]}');
      const home = join(folder.path, 'home');
      for (const path of [home, join(home, 'run')]) mkdirSync(path, { mode: 0o700 });
      const storage = `[storage]\ndriver = "vfs"\nrunroot = "${home}/r"\ngraphroot = "${home}/g"\n`;
      writeFileSync(join(home, 'storage.conf'), storage);
      if (isRoot) for (const path of [home, join(home, 'run')]) chownSync(path, uid, uid);
      const env = {
        PATH: process.env['PATH'],
        HOME: home,
        XDG_RUNTIME_DIR: join(home, 'run'),
        CONTAINERS_STORAGE_CONF: join(home, 'storage.conf'),
        policy: join(folder.path, 'policy.json'),
        image: `oci:${folder.path}/image:latest`,
      };
      const run = async (script: string, ...options: readonly string[]): ReturnType<typeof runCommand> => {
        const inside = [...prefix, launcher, 'run', '--quiet', ...options, '--', 'sh', '-c', script];
        const ranges = 'echo nobody:100000:65536 >/etc/subuid; cp /etc/subuid /etc/subgid; exec "$@"';
        const layer = join(folder.path, 'etc');
        mkdirSync(layer, { recursive: true });
        const line = hasRanges ? withPrivateEtc(layer, ['sh', '-c', ranges, 'sh', ...inside]) : inside;
        const [file = '', ...args] = line;
        return await runCommand(file, args, { env, cwd: '/', timeoutMs: 120_000 });
      };
      const pull = (tool: string): string => `${tool} pull --signature-policy "$policy" "$image" >&2`;
      const control = tools.map((tool) => `${pull(tool)} && echo ${tool} works`).join('; ');
      const plain = await run(
        `${control}; '${launcher}' doctor --json ${tools.join(' ')} >"$HOME/report"; true`,
      );
      assert.equal(plain.stdout, '', plain.stderr);
      const report = JSON.parse(readFileSync(join(home, 'report'), 'utf8')) as DoctorReport;
      assert.deepEqual(report.clients.map(({ client }) => client).toSorted(), tools.toSorted());
      for (const { client, works, fix = '' } of report.clients) {
        assert.equal(works, false, client);
        const [, option = ''] = /: upstreamproxy run (--\S+) -- COMMAND$/.exec(fix) ?? assert.fail(fix);
        const { code, stderr } = await run(pull(client), option);
        assert.equal(code, 0, `${client} with ${option}: ${stderr}`);
      }
      endPause(join(home, 'run/libpod/tmp/pause.pid'));
    });
});
