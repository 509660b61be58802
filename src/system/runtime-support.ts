// Which runtimes the library works under. Loaded by old ones too, so it uses nothing that they lack.

import { ProxyError } from '../protocol/error.ts';

/** The first Node with foreign functions (`node:ffi`). */
const nodeMajorMin = 26;

/**
 * What keeps this runtime from being used; undefined if nothing does. No option is a way around it: what old versions lack is not only
 * the closing of the process but much of what the code is written in.
 */
export function runtimeProblem(
  versions: Readonly<Record<string, string | undefined>> = process.versions,
): ProxyError | undefined {
  const node = versions['node'] ?? 'of an unknown version';
  if (versions['bun'] !== undefined || Number.parseInt(node, 10) >= nodeMajorMin) return undefined;
  return new ProxyError(
    'runtime_unsupported',
    `Node ${nodeMajorMin} or newer, or Bun, is needed, and this is Node ${node}. Older ones have no foreign functions, so the process ` +
      'cannot be closed to others (prctl) before it holds a session token. ' +
      `Run the program under Node ${nodeMajorMin} (the package "node" of npm brings one: npm install node@${nodeMajorMin}), or start the ` +
      'single file upstreamproxy-agent beside it and use the environment that it writes (agent --env-file).',
  );
}

/** Throws runtime_unsupported. */
export function requireRuntime(): void {
  const problem = runtimeProblem();
  if (problem !== undefined) throw problem;
}
