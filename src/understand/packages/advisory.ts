// What is known against versions of packages.

import type { PackageRegistry } from './package-request.ts';

export const severities = ['low', 'moderate', 'high', 'critical'] as const;
export type Severity = (typeof severities)[number];

/** `unknown`: nobody has said how severe it is. `malware`: the version was made to do harm. */
export const advisoryLevels = ['unknown', ...severities, 'malware'] as const;
export type AdvisoryLevel = (typeof advisoryLevels)[number];

export interface FoundAdvisory {
  /** By which it is known; the first is its own. */
  readonly ids: readonly string[];
  readonly level: AdvisoryLevel;
}

export interface PackageAdvisories {
  /** Whether anything is known of packages of this registry at all. */
  covers(registry: PackageRegistry): boolean;
  /** Those about a version; without one, all that are about the package. */
  find(registry: PackageRegistry, name: string, version?: string): readonly FoundAdvisory[];
}

/** Registries of which OSV has advisories, by the first part of what it calls an ecosystem. */
export const ecosystems: Readonly<Record<string, PackageRegistry>> = {
  npm: 'npm',
  PyPI: 'pypi',
  'crates.io': 'cargo',
  Go: 'go',
  Maven: 'maven',
  RubyGems: 'rubygems',
};
