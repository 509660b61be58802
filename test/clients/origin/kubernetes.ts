// The API of a Kubernetes cluster, as far as `kubectl get` goes.

import type { OriginHandler } from './handler.ts';
import { staticFiles } from './handler.ts';

export function kubernetesApi(): OriginHandler {
  const resource = (name: string, kind: string, namespaced: boolean): object => ({
    name,
    singularName: kind.toLowerCase(),
    namespaced,
    kind,
    verbs: ['get', 'list'],
  });
  const metadata = (name: string): object => ({
    name,
    namespace: 'default',
    creationTimestamp: '2020-01-01T00:00:00Z',
  });
  const list = (kind: string, items: readonly object[]): object => ({
    kind: `${kind}List`,
    apiVersion: 'v1',
    metadata: { resourceVersion: '1' },
    items,
  });
  const pod = {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: metadata('hello-from-kube'),
    spec: { containers: [{ name: 'example', image: 'example' }] },
    status: { phase: 'Running' },
  };
  return staticFiles({
    '/version': {
      body: { major: '1', minor: '32', gitVersion: 'v1.32.0', platform: 'linux/amd64', goVersion: 'go1.24' },
    },
    '/api': { body: { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] } },
    '/apis': { body: { kind: 'APIGroupList', apiVersion: 'v1', groups: [] } },
    '/api/v1': {
      body: {
        kind: 'APIResourceList',
        groupVersion: 'v1',
        resources: [resource('namespaces', 'Namespace', false), resource('pods', 'Pod', true)],
      },
    },
    '/api/v1/namespaces': { body: list('Namespace', [{ metadata: metadata('hello-from-kube') }]) },
    '/api/v1/namespaces/default/pods': { body: list('Pod', [pod]) },
    '/api/v1/namespaces/default/pods/hello-from-kube': { body: pod },
  });
}
