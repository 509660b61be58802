// The environment as the user set it, which the launcher took apart before this process started.

const keptPrefix = 'UPSTREAMPROXY_WORKLOAD_';
// Settings of this program that a workload has no use for.
const ownNames = new Set([
  'UPSTREAMPROXY_RUNTIME',
  'UPSTREAMPROXY_GATEWAY',
  'UPSTREAMPROXY_GATEWAY_CA',
  'UPSTREAMPROXY_TOKEN_FILE',
  'UPSTREAMPROXY_DEBUG',
]);

export type Environment = Readonly<Record<string, string>>;

/**
 * Gives back to the workload what bin/upstreamproxy kept for it as `UPSTREAMPROXY_WORKLOAD_<name>`, and leaves
 * out the settings of this program.
 */
export function workloadEnvironment(own: Readonly<Record<string, string | undefined>>): Environment {
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(own)) {
    if (value === undefined || ownNames.has(name) || name.startsWith(keptPrefix)) continue;
    environment[name] = value;
  }
  for (const [name, value] of Object.entries(own)) {
    if (value !== undefined && name.startsWith(keptPrefix))
      environment[name.slice(keptPrefix.length)] = value;
  }
  return environment;
}
