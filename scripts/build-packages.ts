// `npm run build:packages -- [--format deb|rpm] [--arch x64|arm64] [--agent FILE --gateway FILE] [--out DIR] [--maintainer 'NAME <ADDRESS>'] [--quick]`: packages
// for Debian and RPM from single files. Those of this machine's architecture are built where none are given. Needs dpkg-deb and rpmbuild.

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import {
  buildDistributionPackages,
  isPackageFormat,
  packageFormats,
} from './packages/distribution-packages.ts';
import { defaultMaintainer } from './packages/package-build.ts';
import { givenSingleFile } from './release/given-single-file.ts';
import { programLicenses } from './release/program-licenses.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

const { values } = parseArgs({
  options: {
    format: { type: 'string', multiple: true, default: [...packageFormats] },
    arch: { type: 'string', default: process.arch },
    agent: { type: 'string' },
    gateway: { type: 'string' },
    out: { type: 'string', default: join(root, 'dist/packages') },
    quick: { type: 'boolean', default: false },
    maintainer: { type: 'string', default: defaultMaintainer },
  },
});

/** Of the commit, as builds of other programs have it; without one, the beginning of time. */
function epochOf(): number {
  const given = process.env['SOURCE_DATE_EPOCH'];
  if (given !== undefined) return Number(given);
  const { status, stdout } = spawnSync('git', ['log', '-1', '--format=%ct'], { cwd: root, encoding: 'utf8' });
  return status === 0 ? Number(stdout) : 0;
}

const { arch } = values;
if (arch !== 'x64' && arch !== 'arm64') throw new Error('--arch is x64 or arm64');
const wanted = values.format.filter(isPackageFormat);
if (wanted.length !== values.format.length) throw new Error('--format is deb or rpm');
const epoch = epochOf();
if (!Number.isSafeInteger(epoch) || epoch < 0) throw new Error('SOURCE_DATE_EPOCH is a number of seconds');
const out = resolve(values.out);
process.umask(0o022);
const work = mkdtempSync(join(tmpdir(), 'upstreamproxy-packages-'));
try {
  mkdirSync(out, { recursive: true });
  // The project's own file.
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    readonly version: string;
  };
  const singleFile = (program: 'agent' | 'gateway'): string =>
    givenSingleFile({ program, architecture: arch, option: `--${program}`, given: values[program], work });
  const [agent, gateway] = [singleFile('agent'), singleFile('gateway')];
  const licences = { agent: programLicenses('agent'), gateway: programLicenses('gateway') };
  const built = buildDistributionPackages({
    formats: wanted,
    root,
    version,
    architecture: arch,
    agent,
    gateway,
    licences,
    out,
    epoch,
    maintainer: values.maintainer,
    isQuick: values.quick,
  });
  for (const { path } of built) console.log(path);
} finally {
  rmSync(work, { recursive: true, force: true });
}
