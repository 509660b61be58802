// Which hosts the entries of catalog/ have, made by scripts/build-catalog.ts: change them there.

export interface CatalogHosts {
  readonly entry: string;
  readonly title: string;
  /** `{tenant}` stands for a part of the service. */
  readonly hosts: readonly string[];
  /** Whether a rule may say which repositories of git. */
  readonly hasGit: boolean;
}

export const catalogHosts: readonly CatalogHosts[] = [
  {"entry":"anthropic","title":"Anthropic API","hosts":["api.anthropic.com"],"hasGit":false},
  {"entry":"aws-s3","title":"Amazon S3","hosts":["{tenant}.amazonaws.com"],"hasGit":false},
  {"entry":"bedrock","title":"Amazon Bedrock","hosts":["bedrock-runtime.{tenant}.amazonaws.com","bedrock.{tenant}.amazonaws.com"],"hasGit":false},
  {"entry":"bitbucket","title":"Bitbucket Cloud","hosts":["api.bitbucket.org","bitbucket.org"],"hasGit":true},
  {"entry":"cloudflare","title":"Cloudflare API","hosts":["api.cloudflare.com"],"hasGit":false},
  {"entry":"crates","title":"crates.io","hosts":["index.crates.io","static.crates.io"],"hasGit":false},
  {"entry":"docker-hub","title":"Docker Hub","hosts":["registry-1.docker.io","auth.docker.io","production.cloudflare.docker.com","docker-images-prod.6aa30f8b08e16409b46e0173d6de2f56.r2.cloudflarestorage.com"],"hasGit":false},
  {"entry":"gemini","title":"Gemini API","hosts":["generativelanguage.googleapis.com"],"hasGit":false},
  {"entry":"github","title":"GitHub","hosts":["api.github.com","github.com","raw.githubusercontent.com","codeload.github.com","objects.githubusercontent.com","release-assets.githubusercontent.com","uploads.github.com"],"hasGit":true},
  {"entry":"gitlab","title":"GitLab.com","hosts":["gitlab.com"],"hasGit":true},
  {"entry":"go-modules","title":"Modules of Go","hosts":["proxy.golang.org","sum.golang.org"],"hasGit":false},
  {"entry":"huggingface","title":"Hugging Face","hosts":["huggingface.co","cdn-lfs.huggingface.co","cdn-lfs-us-1.hf.co","cdn-lfs-eu-1.hf.co","cas-bridge.xethub.hf.co"],"hasGit":false},
  {"entry":"jira","title":"Jira Cloud","hosts":["{tenant}.atlassian.net"],"hasGit":false},
  {"entry":"linear","title":"Linear","hosts":["api.linear.app"],"hasGit":false},
  {"entry":"maven-central","title":"Maven Central","hosts":["repo.maven.apache.org","repo1.maven.org"],"hasGit":false},
  {"entry":"mistral","title":"Mistral API","hosts":["api.mistral.ai"],"hasGit":false},
  {"entry":"notion","title":"Notion","hosts":["api.notion.com"],"hasGit":false},
  {"entry":"openai","title":"OpenAI API","hosts":["api.openai.com"],"hasGit":false},
  {"entry":"openrouter","title":"OpenRouter","hosts":["openrouter.ai"],"hasGit":false},
  {"entry":"pagerduty","title":"PagerDuty","hosts":["api.pagerduty.com","api.eu.pagerduty.com"],"hasGit":false},
  {"entry":"rubygems","title":"RubyGems.org","hosts":["rubygems.org","index.rubygems.org"],"hasGit":false},
  {"entry":"sentry","title":"Sentry","hosts":["sentry.io","us.sentry.io","de.sentry.io"],"hasGit":false},
  {"entry":"slack","title":"Slack","hosts":["slack.com","www.slack.com","files.slack.com"],"hasGit":false},
  {"entry":"stripe","title":"Stripe","hosts":["api.stripe.com","files.stripe.com"],"hasGit":false},
  {"entry":"supabase","title":"Supabase","hosts":["{tenant}.supabase.co"],"hasGit":false},
  {"entry":"vercel","title":"Vercel","hosts":["api.vercel.com"],"hasGit":false},
];
