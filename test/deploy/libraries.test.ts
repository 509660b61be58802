import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

import { skipWithout } from '../support/tools.ts';

const root = new URL('../../', import.meta.url);
/** Which package of Debian brings what the runtime is linked with; what libc6 brings is in every image. */
const packages: Readonly<Record<string, string>> = {
  'libatomic.so.1': 'libatomic1',
  'libstdc++.so.6': 'libstdc++6',
  // Needed by the one above, and so installed with it.
  'libgcc_s.so.1': 'libstdc++6',
};
const ofLibc = /^(?:linux-vdso|libc|libm|libdl|libpthread|librt|ld-linux-.*)\.so\.\d+$/;

test(
  'each library that the runtime is linked with is installed in the images, and in the stage that builds them',
  { skip: skipWithout('ldd') },
  () => {
    const { stdout, status } = spawnSync('ldd', [process.execPath], { encoding: 'utf8' });
    assert.equal(status, 0);
    const libraries = stdout
      .split('\n')
      .flatMap((line) => /^\s*(?:\/\S*\/)?(\S+\.so\.\d+) /.exec(line)?.[1] ?? []);
    assert.ok(libraries.includes('libc.so.6'), stdout);
    const others = libraries.filter((name) => !ofLibc.test(name));
    for (const name of others)
      assert.ok(packages[name] !== undefined, `${name} is of no package that is known here`);
    for (const name of ['agent', 'gateway']) {
      const [build = '', last = ''] = readFileSync(new URL(`deploy/${name}.Dockerfile`, root), 'utf8')
        .split(/^FROM /m)
        .slice(1);
      const installed = (stage: string): string =>
        /apt-get install -y --no-install-recommends ([^&\n]+)/.exec(stage)?.[1] ?? '';
      for (const library of others)
        assert.ok(
          installed(last)
            .split(/\s+/)
            .includes(packages[library] ?? ''),
          `deploy/${name}.Dockerfile: ${library}`,
        );
      if (others.includes('libatomic.so.1'))
        assert.ok(installed(build).split(/\s+/).includes('libatomic1'), name);
    }
  },
);

test('a build of the images sees no dependencies, history or builds of the checkout', () => {
  assert.ok(existsSync(new URL('.dockerignore', root)));
  const ignored = readFileSync(new URL('.dockerignore', root), 'utf8').split('\n');
  for (const name of ['.git', 'node_modules', 'dist', '.tsbuild', '**/token', '**/*.pem'])
    assert.ok(ignored.includes(name), name);
  // What the recipes need is none of it.
  for (const name of ['package-lock.json', 'scripts', 'src', 'bin']) assert.ok(!ignored.includes(name), name);
});
