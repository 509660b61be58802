// `run --capture-only`: the environment without what names the relay, for commands that must not see a proxy.

import type { Environment } from '../terminal/workload-environment.ts';

/** Settings of a proxy whose value does not name the relay. */
const proxySettings = /^(no_proxy|NO_PROXY|NODE_USE_ENV_PROXY|ELECTRON_GET_USE_PROXY|UPSTREAMPROXY_CAPTURE)$/;
const javaProxyOption = /^-Dhttps?\.(proxyHost|proxyPort|nonProxyHosts)=/;

/** Leaves out every variable that names the relay or says how proxies are used; what names certificates stays. */
export function withoutProxyVariables(environment: Environment, relayPort: number): Environment {
  const relay = `127.0.0.1:${relayPort}`;
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (proxySettings.test(name)) continue;
    if (name === 'JAVA_TOOL_OPTIONS') {
      kept[name] = value
        .split(' ')
        .filter((option) => !javaProxyOption.test(option))
        .join(' ');
    } else if (!value.includes(relay)) kept[name] = value;
  }
  return kept;
}
