// The release as `npm run build:release` makes it, twice in two places: the same bytes, programs that start, packages and images that others read, bills
// of materials that fit their schemas, sums, provenance and signatures that others verify. Part of `npm run test:release`.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createPublicKey, generateKeyPairSync, hash, verify } from 'node:crypto';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

import { unpackSite } from '../../src/cli/help/packed-site.ts';
import { findTool, skipWithout } from '../support/tools.ts';
import { billReaders } from './bill-validation.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const timeoutMs = 1_800_000;
/** The name of user and host in the builds. */
const canary = 'builder-canary';
/** What can be made here of what a release has beside the programs. */
const also = [
  ...(skipWithout('dpkg-deb') === false ? ['deb'] : []),
  ...(skipWithout('rpmbuild') === false ? ['rpm'] : []),
  ...(process.geteuid?.() === 0 && skipWithout('buildah', 'mmdebstrap') === false ? ['images'] : []),
  'docs',
];
const canName = process.geteuid?.() === 0 && skipWithout('unshare', 'hostname') === false;

/** A copy of what git would commit, with packages of its own: by links, for nothing changes them. */
function copyCheckout(place: string): void {
  const { stdout } = run('git', ['ls-files', '--cached', '--others', '--exclude-standard'], root);
  for (const file of stdout.split('\n').filter((name) => name !== '' && existsSync(join(root, name))))
    cpSync(join(root, file), join(place, file), { recursive: true });
  mkdirSync(join(place, 'node_modules'));
  for (const name of readdirSync(join(root, 'node_modules')).filter((one) => one !== '.cache'))
    run('cp', ['-al', join(root, 'node_modules', name), join(place, 'node_modules', name)], root);
  // Else the build fetches them.
  if (existsSync(join(root, 'site/node_modules')))
    run('cp', ['-al', join(root, 'site/node_modules'), join(place, 'site/node_modules')], root);
}

function run(
  file: string,
  args: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv = process.env,
): { readonly stdout: string } {
  const { status, stdout, stderr, error } = spawnSync(file, args, {
    cwd,
    env,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  assert.equal(status, 0, `${file} ${args.join(' ')}: ${error?.message ?? stderr}${stdout.slice(-2_000)}`);
  return { stdout };
}

/** As `run`, beside others: a build takes minutes, and has one processor busy. */
async function runBeside(
  file: string,
  args: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const child = spawn(file, args, { cwd, env, stdio: ['ignore', 'ignore', 'pipe'] });
  const [said, [code]] = await Promise.all([text(child.stderr), once(child, 'close')]);
  assert.equal(code, 0, `${file} ${args.join(' ')}: ${said.slice(-4_000)}`);
}

interface ReleaseFile {
  readonly name: string;
  readonly program: string;
  readonly architecture: string;
  readonly sha256: string;
}

interface ReleasePackage extends ReleaseFile {
  readonly format: string;
}

interface ReleaseImage {
  readonly name: string;
  readonly archive: string;
  readonly digest: string;
  readonly platforms: readonly { readonly architecture: string; readonly digest: string }[];
}

describe('the release', { timeout: timeoutMs }, () => {
  // On the file system of the checkout, for links; and its name is no part of what is built.
  mkdirSync(join(root, 'dist'), { recursive: true });
  const folder = mkdtempSync(join(root, 'dist', 'release-test-'));
  const places = [join(folder, 'one'), join(folder, 'another', 'deeper')] as const;
  const releases = places.map((place) => join(place, 'out', 'release'));
  const [release = ''] = releases;
  const read = (name: string): Buffer => readFileSync(join(release, name));
  const json = (name: string) => JSON.parse(read(name).toString('utf8'));
  let files: readonly ReleaseFile[] = [];
  let packages: readonly ReleasePackage[] = [];
  let images: readonly ReleaseImage[] = [];

  before(async () => {
    for (const place of places) {
      mkdirSync(place, { recursive: true });
      copyCheckout(place);
    }
    const built = places.map((place, index) => {
      const build = `umask ${index === 0 ? '022' : '077'}; exec node scripts/build-release.ts --out out/release --quick --also '${also.join(',')}'`;
      // Two hosts too, where another name can be had.
      const named = canName
        ? ['unshare', '--uts', 'sh', '-c', `hostname ${canary}-${index}; ${build}`]
        : ['sh', '-c', build];
      return runBeside(named[0] ?? '', named.slice(1), place, {
        PATH: `${join(place, 'node_modules/.bin')}${delimiter}${process.env['PATH']}`,
        HOME: process.env['HOME'],
        SOURCE_DATE_EPOCH: '1700000000',
        USER: canary,
        LOGNAME: canary,
        TZ: index === 0 ? 'UTC' : 'Asia/Kathmandu',
        LC_ALL: index === 0 ? 'C' : 'en_US.UTF-8',
        // Else git finds the repository around the copies.
        GIT_CEILING_DIRECTORIES: folder,
      });
    });
    await Promise.all(built);
    ({ programs: files, packages, images } = json('release.json'));
  });
  after(() => rmSync(folder, { recursive: true }));

  test('two builds in two folders, with two umasks and locales, give the same names, modes and bytes', () => {
    const [one, other] = releases.map((place) =>
      readdirSync(place).map((name) => {
        const path = join(place, name);
        return [
          name,
          statSync(path).mode.toString(8),
          statSync(path).size,
          hash('sha256', readFileSync(path)),
        ];
      }),
    );
    assert.ok((one ?? []).length > 10);
    assert.deepEqual(one, other);
  });

  test('one octet of a package that was changed since it was installed ends a build, which names it', () => {
    const [place = ''] = places;
    const file = join(place, 'node_modules/jose/package.json');
    const manifest = readFileSync(file, 'utf8');
    // Else it would be changed in the checkout too.
    rmSync(file);
    writeFileSync(file, manifest.replace('"', ' "'));
    const env = { ...process.env, SOURCE_DATE_EPOCH: '1700000000', GIT_CEILING_DIRECTORIES: folder };
    const args = ['scripts/build-release.ts', '--also', '', '--out', join(folder, 'changed')];
    const { status, stderr } = spawnSync(process.execPath, args, { cwd: place, env, encoding: 'utf8' });
    rmSync(file);
    writeFileSync(file, manifest);
    assert.equal(status, 1, stderr);
    assert.match(stderr, /node_modules\/jose\/package\.json was changed/);
    assert.deepEqual(readdirSync(join(folder, 'changed')), []);
  });

  test('nothing of the builder is in it: no path, no user, no host', () => {
    for (const name of readdirSync(release))
      for (const word of [folder, root, `${process.env['HOME']}/`, canary].filter((one) => one.length > 3))
        assert.ok(!read(name).includes(word), `${name}: ${word}`);
  });

  test('the sums are those of all files, as sha256sum reads them', () => {
    run('sha256sum', ['--check', '--strict', 'SHA256SUMS'], release);
    const named = read('SHA256SUMS')
      .toString('utf8')
      .trimEnd()
      .split('\n')
      .map((line) => line.slice(66));
    assert.deepEqual(
      named,
      readdirSync(release)
        .filter((name) => name !== 'SHA256SUMS')
        .toSorted(),
    );
  });

  test('each program starts, on its own architecture or emulated', (t) => {
    assert.equal(files.length, 4);
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    for (const { name, architecture } of files) {
      const emulator = findTool('qemu-aarch64');
      const start = architecture === process.arch ? [] : [emulator ?? '', '-L', '/usr/aarch64-linux-gnu'];
      if (start[0] === '') {
        t.diagnostic(`${name} is not started: no qemu-aarch64 here`);
        assert.equal(read(name).readUInt16LE(18), 0xb7, 'it is for AArch64');
        continue;
      }
      const [file = '', ...args] = [...start, join(release, name), 'version'];
      const { stdout } = run(file, args, release, { PATH: '/usr/bin:/bin' });
      assert.equal(stdout, `upstreamproxy ${version} (node ${process.versions.node})\n`);
    }
  });

  test('each package is one of its architecture, and holds the program of the release', (t) => {
    const formats = also.filter((part) => part === 'deb' || part === 'rpm');
    if (formats.length === 0) return t.skip('neither dpkg-deb nor rpmbuild is installed here');
    assert.equal(packages.length, formats.length * files.length);
    for (const { name, program, architecture, format, sha256 } of packages) {
      assert.equal(hash('sha256', read(name)), sha256);
      const own = files.find((file) => file.program === program && file.architecture === architecture);
      const path = `usr/bin/${program}`;
      const archive = join(release, name);
      const place = mkdtempSync(join(folder, 'package-'));
      if (format === 'deb') {
        const named = run('dpkg-deb', ['--field', archive, 'Architecture'], folder).stdout.trim();
        assert.equal(named, { x64: 'amd64', arm64: 'arm64' }[architecture]);
        run('dpkg-deb', ['--extract', archive, place], folder);
      } else {
        const named = run('rpm', ['-qp', '--queryformat', '%{ARCH}', archive], folder).stdout;
        assert.equal(named, { x64: 'x86_64', arm64: 'aarch64' }[architecture]);
        run('sh', ['-c', 'rpm2archive - < "$1" | tar -xz -C "$2"', 'sh', archive, place], folder);
      }
      assert.equal(hash('sha256', readFileSync(join(place, path))), own?.sha256, name);
      rmSync(place, { recursive: true });
    }
  });

  test('the documents of the release are a site that the command serves', () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const site = unpackSite(read(`upstreamproxy-docs-${version}.tar.zst`), version);
    assert.ok(site.has(`/${version}/reference/errors.html`));
  });

  test('the digest of each image is the sum of a file of the release, and that of its archive as others read it', (t) => {
    if (!also.includes('images')) return t.skip('root, buildah and mmdebstrap are needed');
    assert.deepEqual(
      images.map(({ name }) => name),
      ['upstreamproxy-agent', 'upstreamproxy-gateway'],
    );
    for (const { name, archive, digest, platforms } of images) {
      const sumOf = (file: string): string => `sha256:${hash('sha256', read(file))}`;
      const base = archive.replace(/\.tar$/, '');
      assert.equal(sumOf(`${base}.json`), digest);
      assert.deepEqual(
        platforms.map(({ architecture }) => architecture),
        ['x64', 'arm64'],
      );
      for (const one of platforms)
        assert.equal(sumOf(`${base}-linux-${one.architecture}.json`), one.digest, name);
      if (findTool('skopeo') === undefined) {
        t.diagnostic(`${archive} is not read by skopeo: it is not installed here`);
        continue;
      }
      const { stdout } = run('skopeo', ['inspect', '--raw', `oci-archive:${archive}`], release);
      assert.equal(`sha256:${hash('sha256', stdout)}`, digest);
      // As to a registry (docs/reference/release.md).
      const copy = join(folder, `${name}.copy`);
      run(
        'skopeo',
        ['copy', '--quiet', '--all', '--preserve-digests', `oci-archive:${archive}`, `oci:${copy}`],
        release,
      );
      assert.equal(JSON.parse(readFileSync(join(copy, 'index.json'), 'utf8')).manifests[0].digest, digest);
    }
    const { resolvedDependencies } = json('provenance.json').predicate.buildDefinition;
    const named: readonly string[] = resolvedDependencies.map(({ uri }: { uri?: string }) => uri ?? '');
    for (const one of ['libc6', 'ca-certificates'])
      assert.ok(
        named.some((uri) => uri.startsWith(`pkg:deb/debian/${one}@`)),
        one,
      );
  });

  test('each bill of materials fits its format, names Node, its OpenSSL and each package, and a broken one does not', async (t) => {
    const readers = await billReaders(join(folder, 'readers'));
    if (typeof readers === 'string') return t.skip(readers);
    for (const { name, program, sha256 } of files) {
      const cycloneDx = json(`${name}.cdx.json`);
      const spdx = json(`${name}.spdx.json`);
      assert.deepEqual(readers.cycloneDx(cycloneDx), [], name);
      assert.deepEqual(readers.spdx(spdx), [], name);
      assert.equal(cycloneDx.metadata.component.hashes[0].content, sha256);
      assert.equal(spdx.packages[0].checksums[0].checksumValue, sha256);
      const purls: readonly string[] = cycloneDx.components.map(({ purl }: { purl: string }) => purl);
      for (const part of [/^pkg:npm\/node-linux-/, /^pkg:generic\/openssl@/, /^pkg:npm\/zod@/])
        assert.ok(
          purls.some((purl) => part.test(purl)),
          `${name}: ${part.source}`,
        );
      assert.equal(
        purls.some((purl) => purl.startsWith('pkg:npm/pg@')),
        program === 'upstreamproxy-gateway',
      );
      const named = spdx.packages
        .slice(1)
        .map(
          (one: { externalRefs: { referenceLocator: string }[] }) => one.externalRefs[0]?.referenceLocator,
        );
      assert.deepEqual(named, purls);

      assert.notDeepEqual(readers.cycloneDx({ ...cycloneDx, components: [{ type: 'nothing' }] }), []);
      assert.notDeepEqual(readers.spdx({ ...spdx, packages: [...spdx.packages, spdx.packages[0]] }), []);
    }
  });

  test(
    'what is signed is verified by others, and not by the key of somebody else',
    { skip: skipWithout('openssl') },
    (t) => {
      const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey;
      const signed = join(folder, 'signed');
      cpSync(release, signed, { recursive: true });
      const at = (name: string): string => join(folder, name);
      writeFileSync(at('key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
      for (const [name, key] of [
        ['key.pub', publicKey],
        ['stranger.pub', stranger],
      ] as const)
        writeFileSync(at(name), key.export({ type: 'spki', format: 'pem' }));
      run(process.execPath, [join(root, 'scripts/sign-release.ts'), '--key', at('key.pem'), signed], folder);
      // As docs/reference/release.md shows it.
      run('sh', ['-c', 'base64 -d SHA256SUMS.sig > ../SHA256SUMS.der'], signed);
      const openssl = (key: string) =>
        spawnSync(
          'openssl',
          ['dgst', '-sha256', '-verify', at(key), '-signature', at('SHA256SUMS.der'), 'SHA256SUMS'],
          {
            cwd: signed,
          },
        ).status;
      assert.deepEqual([openssl('key.pub'), openssl('stranger.pub')], [0, 1]);
      run('sha256sum', ['--check', '--ignore-missing', 'SHA256SUMS'], signed);
      const manifest = Buffer.from(readFileSync(join(signed, 'release.json.sig'), 'latin1'), 'base64');
      assert.ok(
        verify('sha256', readFileSync(join(signed, 'release.json')), createPublicKey(privateKey), manifest),
      );
      cosignVerifies(t, signed, at, [
        ...files.slice(0, 1).map(({ name }) => name),
        ...packages.slice(0, 1).map(({ name }) => name),
        ...images.slice(0, 1).map(({ archive }) => archive.replace(/tar$/, 'json')),
      ]);

      writeFileSync(join(signed, 'release.json'), '{}');
      const again = spawnSync(
        process.execPath,
        [join(root, 'scripts/sign-release.ts'), '--key', at('key.pem'), signed],
        {
          encoding: 'utf8',
        },
      );
      assert.notEqual(again.status, 0, 'a file that was changed since is not signed');
      assert.match(again.stderr, /release\.json is not as it was built/);
    },
  );

  /** By the commands of docs/reference/release.md. */
  function cosignVerifies(
    t: TestContext,
    place: string,
    at: (name: string) => string,
    subjects: readonly string[],
  ): void {
    if (findTool('cosign') === undefined)
      return void t.diagnostic('not verified by cosign: it is not installed here');
    // Without a log nothing is fetched, and nothing of it trusted.
    writeFileSync(
      at('trusted-root.json'),
      '{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}',
    );
    const bundled = ['--new-bundle-format', '--trusted-root', at('trusted-root.json'), '--bundle'];
    const cosign = (key: string, subject: string) => {
      const common = ['--key', at(key), '--insecure-ignore-tlog=true'];
      const attested = ['verify-blob-attestation', ...common, '--type', 'slsaprovenance1'];
      const ways = [
        ['verify-blob', ...common, '--signature', 'SHA256SUMS.sig', 'SHA256SUMS'],
        ['verify-blob', ...common, ...bundled, 'SHA256SUMS.sigstore.json', 'SHA256SUMS'],
        [...attested, '--signature', 'provenance.dsse.json', subject],
        [...attested, ...bundled, 'provenance.sigstore.json', subject],
      ];
      const env = { PATH: process.env['PATH'], HOME: folder };
      return ways.map((args) => spawnSync('cosign', args, { cwd: place, env, encoding: 'utf8' }).status);
    };
    for (const subject of subjects) {
      assert.deepEqual(cosign('key.pub', subject), [0, 0, 0, 0], subject);
      assert.deepEqual(cosign('stranger.pub', subject), [1, 1, 1, 1], subject);
    }
    // A file that is none of the subjects.
    assert.deepEqual(cosign('key.pub', at('key.pub')), [0, 0, 1, 1]);
  }
});
