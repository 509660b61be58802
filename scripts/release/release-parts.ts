// What a release has beside the single files, and what has to be installed to make it.

import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

import { type PackageFormat, packageFormats, toolOfFormat } from '../packages/distribution-packages.ts';

export type ReleasePart = PackageFormat | 'images' | 'docs';

export const releaseParts: readonly ReleasePart[] = [...packageFormats, 'images', 'docs'];

export function isReleasePart(text: string): text is ReleasePart {
  return releaseParts.some((part) => part === text);
}

/** A release lacks nothing because a machine lacked a tool: who wants less says so. @throws Error that names what is missing */
export function needReleaseTools(parts: readonly ReleasePart[]): void {
  for (const part of parts) {
    const tools = toolsOf(part);
    const missing = tools.filter((tool) => !isInstalled(tool));
    if (missing.length > 0) throw new Error(`${part} needs ${missing.join(', ')}; --also leaves it out`);
    if (part === 'images' && process.geteuid?.() !== 0)
      throw new Error('images are built by root; --also deb,rpm leaves them out');
  }
}

function toolsOf(part: ReleasePart): readonly string[] {
  switch (part) {
    case 'images':
      return ['buildah', 'mmdebstrap', 'tar'];
    case 'docs':
      return ['npm'];
    case 'deb':
    case 'rpm':
      return [toolOfFormat(part)];
  }
}

function isInstalled(tool: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, tool), constants.X_OK);
      return folder !== '';
    } catch {
      return false;
    }
  });
}
