// The benches: npm run bench -- [NAME] [options]; without a name it is the comparison with squid.

import { benchComparison } from './compare.ts';

const [name, ...rest] = process.argv.slice(2);

switch (name) {
  case 'run-true': {
    const { benchRunTrue } = await import('./run-true.ts');
    await benchRunTrue(rest);
    break;
  }
  case 'scale': {
    const { benchScale } = await import('./scale.ts');
    await benchScale(rest);
    break;
  }
  case 'link': {
    const { benchLink } = await import('./link.ts');
    await benchLink(rest);
    break;
  }
  case 'peers': {
    const { benchPeers } = await import('./peers.ts');
    await benchPeers(rest);
    break;
  }
  case 'idle': {
    const { benchIdle } = await import('./idle.ts');
    await benchIdle(rest);
    break;
  }
  case 'start': {
    const { benchStart } = await import('./start.ts');
    await benchStart(rest);
    break;
  }
  case 'audit': {
    const { benchAudit } = await import('./audit-search.ts');
    await benchAudit(rest);
    break;
  }
  case 'cache': {
    const { benchCache } = await import('./cache.ts');
    await benchCache(rest);
    break;
  }
  case 'cluster': {
    const { benchCluster } = await import('./cluster.ts');
    await benchCluster(rest);
    break;
  }
  case 'console': {
    const { benchObserving } = await import('./observing.ts');
    await benchObserving(rest);
    break;
  }
  case 'understanding': {
    const { benchUnderstanding } = await import('./understanding.ts');
    await benchUnderstanding(rest);
    break;
  }
  default:
    if (name !== undefined && !name.startsWith('--')) throw new Error(`there is no bench ${name}`);
    await benchComparison(process.argv.slice(2));
}
