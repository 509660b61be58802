// The packages for Debian and RPM of one architecture, from its single files. By dpkg-deb and rpmbuild.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { buildDebianPackage } from './debian-package.ts';
import type { Build } from './package-build.ts';
import { agentContents, gatewayContents } from './package-contents.ts';
import { buildRpmPackage } from './rpm-package.ts';

/** Each format, the tool that packs it, and where zsh looks in its distributions. */
const formats = {
  deb: {
    build: buildDebianPackage,
    tool: 'dpkg-deb',
    zshFolder: 'usr/share/zsh/vendor-completions',
  },
  rpm: { build: buildRpmPackage, tool: 'rpmbuild', zshFolder: 'usr/share/zsh/site-functions' },
} as const;

export type PackageFormat = keyof typeof formats;

export function isPackageFormat(text: string): text is PackageFormat {
  return Object.hasOwn(formats, text);
}

export const packageFormats = Object.keys(formats).filter(isPackageFormat);

export const toolOfFormat = (format: PackageFormat): string => formats[format].tool;

export interface DistributionPackages extends Omit<Build, 'work'> {
  readonly formats: readonly PackageFormat[];
  /** Paths of the single files. */
  readonly agent: string;
  readonly gateway: string;
  /** The licences of all that is in each. */
  readonly licences: Readonly<Record<'agent' | 'gateway', string>>;
}

export interface DistributionPackage {
  readonly program: 'upstreamproxy-agent' | 'upstreamproxy-gateway';
  readonly format: PackageFormat;
  readonly path: string;
}

/** Into the folder `out`, which is there. The caller's umask is 022: folders have the same mode, whoever builds. */
export function buildDistributionPackages(wanted: DistributionPackages): readonly DistributionPackage[] {
  const { formats: chosen, ...rest } = wanted;
  const work = mkdtempSync(join(tmpdir(), 'upstreamproxy-packages-'));
  try {
    return chosen.flatMap((format) => {
      const { build, zshFolder } = formats[format];
      return [agentContents({ ...rest, zshFolder }), gatewayContents({ ...rest, zshFolder })].map(
        (contents) => ({ program: contents.name, format, path: build(contents, { ...rest, work }) }),
      );
    });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
