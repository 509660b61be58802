// The program as it is packed, built once for all tests of a run: from source, each start of it would take the types out of some
// hundred files again, which was a third of the processor time of all tests.

import { execFile } from 'node:child_process';
import { chmod, cp, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const buildTimeoutMs = 120_000;
const prefix = 'test-run-';
const quiet = ['--disable-warning=ExperimentalWarning'];
/** A run that was killed leaves its folder; none takes as long. */
const staleMs = 24 * 3_600_000;

/** Has the built program in `package`, and in `compiled` what processes of tests keep of their compiler's work. */
export interface RunFolder extends AsyncDisposable {
  readonly path: string;
}

async function removeStale(caches: string): Promise<void> {
  for (const name of await readdir(caches)) {
    if (!name.startsWith(prefix)) continue;
    const path = join(caches, name);
    const modifiedMs = (await stat(path).catch(() => undefined))?.mtimeMs ?? Infinity;
    if (Date.now() - modifiedMs > staleMs) await rm(path, { recursive: true, force: true });
  }
}

/** `npm run build` without its check of types, which is a check of its own: the same octets (test/e2e/package.test.ts). */
async function build(root: string, place: string): Promise<void> {
  for (const name of ['src', 'bin', 'package.json', 'tsconfig.base.json'])
    await cp(join(root, name), join(place, name), { recursive: true });
  await cp(join(root, 'scripts/bundle-program.ts'), join(place, 'scripts/bundle-program.ts'));
  await symlink(join(root, 'node_modules'), join(place, 'node_modules'));
  const settings = {
    extends: './tsconfig.base.json',
    compilerOptions: { noCheck: true, composite: false, declaration: false },
    include: ['src'],
    // A page is bundled from its source, by a tool of its own.
    exclude: ['src/console'],
  };
  await writeFile(join(place, 'tsconfig.json'), JSON.stringify(settings));
  const run = promisify(execFile);
  const options = { cwd: place, timeout: buildTimeoutMs };
  const tools = join(place, 'node_modules', '.bin');
  await run(join(tools, 'tsc'), ['-p', 'tsconfig.json'], options);
  await run(join(tools, 'bun'), ['--no-env-file', 'scripts/bundle-program.ts'], options);
  await run(
    process.execPath,
    [...quiet, join(root, 'scripts/build-console.ts'), join(place, 'dist/console')],
    options,
  );
  // The launcher takes the source where there is one.
  await rm(join(place, 'src'), { recursive: true });
}

/** Builds the program of the checkout `root` in a folder of this run, which disposing removes. */
export async function openRunFolder(root: string): Promise<RunFolder> {
  await using stack = new AsyncDisposableStack();
  // Beside the packages: where the checkout can be read, so can this, by every user and in every namespace of a test.
  const caches = join(root, 'node_modules', '.cache');
  await mkdir(caches, { recursive: true });
  await removeStale(caches);
  const path = await mkdtemp(join(caches, prefix));
  stack.defer(() => rm(path, { recursive: true, force: true }));
  await chmod(path, 0o755);
  const place = join(path, 'package');
  await mkdir(place);
  await build(root, place);
  const owned = stack.move();
  return { path, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
