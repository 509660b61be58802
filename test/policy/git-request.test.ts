import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { gitRequestOf } from '../../src/policy/git-request.ts';

const asText = (request: string): string => {
  const [, method = '', path = '', query = ''] = /^(\S+) ([^?]*)(\?.*)?$/.exec(request) ?? [];
  const found = gitRequestOf({ method, path, query });
  if (found === undefined) return 'none';
  const { repository, operations, isSmart, carriesCommands } = found;
  return `${isSmart ? 'smart' : 'like'} ${operations.join('+')} ${repository}${carriesCommands ? ' commands' : ''}`;
};

describe('a request is git’s', () => {
  const rows: readonly [request: string, expected: string][] = [
    ['GET /acme/app/info/refs?service=git-upload-pack', 'smart fetch acme/app'],
    ['GET /acme/app.git/info/refs?service=git-receive-pack', 'smart push acme/app'],
    ['POST /acme/app.git/git-upload-pack', 'smart fetch acme/app'],
    ['POST /a/b/c.git/git-receive-pack', 'smart push a/b/c commands'],
    ['POST /acme/app.git/git-receive-pack?x', 'like push acme/app commands'],
    ['PUT /acme/app.git/git-receive-pack', 'like push acme/app commands'],
    ['POST /acme/app.git/git-receive-pack/', 'like push acme/app commands'],
    ['POST /acme/app.git/GIT-receive-pack', 'like push acme/app commands'],
    ['POST /acme%2Fapp/git-receive-pack', 'like push acme/app commands'],
    ['POST //acme/app/git-receive-pack', 'like push acme/app commands'],
    ['POST /acme/app;v=1/git-receive-pack', 'like push acme/app commands'],
    ['GET /acme/app/info/refs?service=git-receive-pack&x', 'like push acme/app'],
    ['GET /acme/app/info/refs?service=git%2Dreceive-pack', 'like fetch+push acme/app'],
    ['GET /acme/app/info/refs', 'like fetch acme/app'],
    ['GET /acme/app/objects/info/packs', 'like fetch acme/app'],
    [`GET /acme/app/objects/ab/${'c'.repeat(38)}`, 'like fetch acme/app'],
    ['LOCK /acme/app.git/info/refs', 'like push acme/app'],
    ['PUT /acme/app.git/refs/heads/main', 'like push acme/app'],
    ['POST /acme/app.git/info/lfs/objects/batch', 'like fetch+push acme/app'],
    ['POST /acme/app/git-upload-archive', 'like fetch acme/app'],
    ['GET /acme/app', 'none'],
    ['GET /info/refs?service=git-upload-pack', 'none'],
    ['GET /acme/app/git-receive-pack.txt', 'none'],
    ['OPTIONS *', 'none'],
  ];
  for (const [request, expected] of rows) {
    test(request, () => {
      assert.equal(asText(request), expected);
    });
  }
});
