// The environment as the user set it, which the launcher took apart before this process started.

const keptPrefix = 'UPSTREAMPROXY_WORKLOAD_';
// Settings of this program that a workload has no use for.
const ownNames = new Set([
  'UPSTREAMPROXY_RUNTIME',
  'UPSTREAMPROXY_GATEWAY',
  'UPSTREAMPROXY_GATEWAY_CA',
  'UPSTREAMPROXY_TOKEN_FILE',
  'UPSTREAMPROXY_TLS_ENDS_IN',
  'UPSTREAMPROXY_RELEASES',
  'UPSTREAMPROXY_RELEASE_KEY',
  'UPSTREAMPROXY_DEBUG',
  'UPSTREAMPROXY_DOCS',
]);

/** No file can be there. */
const noAuthorities = '/dev/null/authorities';

export type Environment = Readonly<Record<string, string>>;

/**
 * Gives back to the workload what bin/upstreamproxy kept for it as `UPSTREAMPROXY_WORKLOAD_<name>`, and leaves
 * out the settings of this program.
 */
export function workloadEnvironment(own: Readonly<Record<string, string | undefined>>): Environment {
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(own)) {
    if (value === undefined || value === noAuthorities || ownNames.has(name)) continue;
    if (name.startsWith(keptPrefix)) continue;
    environment[name] = value;
  }
  for (const [name, value] of Object.entries(own)) {
    if (value !== undefined && value !== noAuthorities && name.startsWith(keptPrefix))
      environment[name.slice(keptPrefix.length)] = value;
  }
  return environment;
}

// The single-file agent is built so that its runtime ignores the first; the agent gives its own TLS and way out
// explicitly, so the others steer nothing either. What loads code, or opens a file, before the program starts is not here: it did so.
const setAsideNames =
  /^(NODE_OPTIONS|NODE_PATH|NODE_EXTRA_CA_CERTS|NODE_TLS_REJECT_UNAUTHORIZED|NODE_USE_ENV_PROXY|NODE_DEBUG|OPENSSL_CONF|SSL_CERT_FILE|SSL_CERT_DIR|(HTTPS?|ALL|NO)_PROXY|(https?|all|no)_proxy)$/;

/** Does to an environment what the launcher does, for a program that has none: keeps variables for the workload alone. */
export function setAsideForWorkload(own: Record<string, string | undefined>): void {
  for (const [name, value] of Object.entries(own)) {
    if (value === undefined || value === noAuthorities || !setAsideNames.test(name)) continue;
    own[`${keptPrefix}${name}`] = value;
    delete own[name];
  }
}

/**
 * For a runtime that takes its authorities from OpenSSL's places (`--use-openssl-ca`): there are none, until a connection names its own. With the
 * first of those OpenSSL would parse the system's for nobody, which takes 8 ms. Behind `setAsideForWorkload`, which keeps what the user has set.
 * It counts for the first context, which the agent makes before it takes such variables out of its environment.
 */
export function trustNobodyUnnamed(own: Record<string, string | undefined>): void {
  own['SSL_CERT_FILE'] = noAuthorities;
  own['SSL_CERT_DIR'] = noAuthorities;
}
