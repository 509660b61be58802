// Programs that make containers (podman, buildah): they make namespaces, mounts and roots of their own, which the jail refuses. What to
// start them with instead was seen for each (test/e2e/container-tools.test.ts).

import { readFileSync } from 'node:fs';
import type { JailSeen } from './jail-seen.ts';

export type ContainerTool = 'podman' | 'buildah';

export interface ContainerScene {
  readonly jail: Pick<
    JailSeen,
    'noNewPrivileges' | 'seccomp' | 'restrictedRoot' | 'ownUserNamespace' | 'isRoot'
  >;
  /** Other numbers are set aside for the user, which newuidmap(1) gives it, a setuid program. */
  readonly hasUserRanges: boolean;
}

const wall = '--jail-layers=no-new-privs,landlock';
const allButFilter = '--jail-layers=ipc,processes,network,no-new-privs,landlock,capabilities';

/** What to start the session with; undefined where the tool works as it is. */
export function containerFix(tool: ContainerTool, scene: ContainerScene): string | undefined {
  if (!isHindered(tool, scene)) return undefined;
  const { isRoot } = scene.jail;
  if (tool === 'podman' && !isRoot && scene.hasUserRanges)
    return 'it starts newuidmap, a setuid program, which no jail lets have its rights: upstreamproxy run --isolate=off -- COMMAND';
  const layers = isRoot && tool === 'buildah' ? allButFilter : wall;
  return `it makes namespaces and roots of its own, which the jail refuses: upstreamproxy run ${layers} -- COMMAND`;
}

function isHindered(tool: ContainerTool, { jail, hasUserRanges }: ContainerScene): boolean {
  const { isRoot, restrictedRoot, noNewPrivileges, seccomp, ownUserNamespace } = jail;
  // Root with CAP_SYS_ADMIN is let by the filters of container runtimes.
  if (isRoot) return restrictedRoot && (seccomp || tool === 'podman');
  if (seccomp) return true;
  if (tool === 'buildah') return ownUserNamespace;
  return noNewPrivileges && hasUserRanges;
}

/** Whether subuid(5) sets numbers aside for it, by number or by name. */
export function hasUserRanges(uid: number, name: string | undefined): boolean {
  try {
    return readFileSync('/etc/subuid', 'utf8')
      .split('\n')
      .some((line) => [String(uid), name].includes(line.split(':')[0]));
  } catch {
    // Without the file there are none.
    return false;
  }
}
