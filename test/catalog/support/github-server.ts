// GitHub's API as `gh` and scripts use it: REST and GraphQL for one repository, made from https://docs.github.com/en/rest and /graphql.
//
// Where it is not as the real one: there is one repository and one user; of GraphQL's schema there are the types and fields that `gh` asks
// for in the commands of the test; no paging, no conditional requests, no rate limit that ends; a token has every right or none.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { buildSchema, graphql } from 'graphql';

import { httpsOrigin, type Origin } from '../../support/origin.ts';
import type { TestAuthority } from '../../support/test-authority.ts';

const schema = buildSchema(`
  scalar DateTime
  scalar URI
  enum IssueState { OPEN CLOSED }
  enum IssueOrderField { CREATED_AT UPDATED_AT COMMENTS }
  enum OrderDirection { ASC DESC }
  enum RepositoryPermission { ADMIN WRITE READ }
  input IssueOrder { field: IssueOrderField!, direction: OrderDirection! }
  input IssueFilters { assignee: String, createdBy: String, mentioned: String, labels: [String!], milestone: String }
  interface RepositoryOwner { login: String!, id: ID! }
  type User implements RepositoryOwner { login: String!, id: ID!, name: String }
  type PageInfo { hasNextPage: Boolean!, endCursor: String }
  type Issue { id: ID!, number: Int!, title: String!, url: URI!, state: IssueState!, createdAt: DateTime!, updatedAt: DateTime!, body: String!, stateReason: String }
  type IssueConnection { totalCount: Int!, nodes: [Issue!]!, pageInfo: PageInfo! }
  type Ref { name: String! }
  type Repository {
    defaultBranchRef: Ref, mergeCommitAllowed: Boolean!, rebaseMergeAllowed: Boolean!, squashMergeAllowed: Boolean!
    id: ID!, name: String!, nameWithOwner: String!, url: URI!, description: String, owner: RepositoryOwner!
    hasIssuesEnabled: Boolean!, hasWikiEnabled: Boolean!, isPrivate: Boolean!, viewerPermission: RepositoryPermission
    parent: Repository
    issues(first: Int, after: String, orderBy: IssueOrder, filterBy: IssueFilters, states: [IssueState!]): IssueConnection!
  }
  input CreateIssueInput { repositoryId: ID!, title: String!, body: String, clientMutationId: String }
  type CreateIssuePayload { issue: Issue, clientMutationId: String }
  type Query { viewer: User!, repository(owner: String!, name: String!): Repository }
  type Mutation { createIssue(input: CreateIssueInput!): CreateIssuePayload }
`);

export interface GithubServer extends AsyncDisposable {
  readonly origin: Origin;
  readonly issues: readonly { readonly title: string }[];
}

interface Issue {
  readonly number: number;
  readonly title: string;
}

const user = { login: 'octo', id: 'U_1', name: 'Octo', __typename: 'User' };
const fullName = 'acme/app';

/** Whoever does not show the token is nobody. */
export async function openGithub(authority: TestAuthority, token: string): Promise<GithubServer> {
  const issues: Issue[] = [{ number: 1, title: 'first' }];
  const api = new Api(issues, token);
  const origin = await httpsOrigin({
    authority,
    handler: (request, response) => {
      void api.serve(request, response).catch(() => response.destroy());
    },
  });
  return { origin, issues, [Symbol.asyncDispose]: () => origin.close() };
}

class Api {
  readonly #issues: Issue[];
  readonly #token: string;

  constructor(issues: Issue[], token: string) {
    this.#issues = issues;
    this.#token = token;
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    // Both schemes are of the API: `gh` sends the second.
    const isKnown = [`Bearer ${this.#token}`, `token ${this.#token}`].includes(
      request.headers.authorization ?? '',
    );
    if (!isKnown) return reply(response, 401, { message: 'Bad credentials', status: '401' });
    const path = (request.url ?? '').split('?')[0] ?? '';
    if (path === '/graphql') return reply(response, 200, await this.#query(text));
    return this.#rest(`${request.method ?? ''} ${path}`, text, response);
  }

  #rest(line: string, text: string, response: ServerResponse): void {
    const repository = `/repos/${fullName}`;
    switch (line) {
      case 'GET /user':
        return reply(response, 200, user);
      case `GET ${repository}`:
        return reply(response, 200, { id: 1, full_name: fullName, private: true, owner: user });
      case `GET ${repository}/issues`:
        return reply(response, 200, this.#issues);
      case `POST ${repository}/issues`:
        return reply(response, 201, this.#create(String((JSON.parse(text) as { title?: string }).title)));
      case `GET ${repository}/actions/jobs/1/logs`:
        return reply(response, 200, { logs: 'PASSWORD=hunter2' });
      default:
        return reply(response, 404, { message: 'Not Found', status: '404' });
    }
  }

  #create(title: string): Issue {
    const issue = { number: this.#issues.length + 1, title };
    this.#issues.push(issue);
    return issue;
  }

  async #query(text: string): Promise<object> {
    const { query, variables } = JSON.parse(text) as {
      readonly query: string;
      readonly variables?: Readonly<Record<string, unknown>>;
    };
    const asNode = ({ number, title }: Issue): object => ({
      id: `I_${number}`,
      number,
      title,
      url: `https://github.com/${fullName}/issues/${number}`,
      state: 'OPEN',
      createdAt: '2026-01-01T00:00:00Z',
      updatedAt: '2026-01-01T00:00:00Z',
      body: '',
    });
    const repository = {
      id: 'R_1',
      name: 'app',
      nameWithOwner: fullName,
      url: `https://github.com/${fullName}`,
      description: 'a repository',
      owner: user,
      hasIssuesEnabled: true,
      hasWikiEnabled: false,
      isPrivate: true,
      viewerPermission: 'WRITE',
      parent: null,
      defaultBranchRef: { name: 'main' },
      mergeCommitAllowed: true,
      rebaseMergeAllowed: true,
      squashMergeAllowed: true,
      issues: () => ({
        totalCount: this.#issues.length,
        nodes: this.#issues.map(asNode),
        pageInfo: { hasNextPage: false, endCursor: null },
      }),
    };
    const rootValue = {
      viewer: user,
      repository: ({ owner, name }: { readonly owner: string; readonly name: string }) =>
        `${owner}/${name}` === fullName ? repository : null,
      createIssue: ({ input }: { readonly input: { readonly title: string } }) => ({
        issue: asNode(this.#create(input.title)),
      }),
    };
    return { ...(await graphql({ schema, source: query, rootValue, variableValues: variables ?? {} })) };
  }
}

function reply(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'x-github-media-type': 'github.v3; format=json',
    'x-ratelimit-limit': '5000',
    'x-ratelimit-remaining': '4999',
  });
  response.end(JSON.stringify(value));
}
