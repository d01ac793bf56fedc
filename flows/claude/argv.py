"""The command line of `claude`."""

from ccs.flows.claude.executable import Executable
from ccs.flows.claude.request import Request, schema_text


def build_argv(executable: Executable, request: Request) -> list[str]:
    """The arguments for a request; the prompt is not among them, it goes to standard input.

    Values are joined to their flag by `=`: on their own, one that begins with a dash would be a flag, and the
    flags that take several values would swallow what follows.
    """
    argv = [
        str(executable.path),
        "--print",
        "--verbose",
        "--output-format=stream-json",
        *_session(request),
        f"--model={request.model}",
        f"--permission-mode={request.permission_mode}",
    ]
    if request.trust_project:
        argv.append("--setting-sources=user,project,local")
    else:
        # The repository's settings would run its hooks, start its MCP servers, and may redirect the API with the key.
        argv += ["--setting-sources=user", "--strict-mcp-config"]
    argv += [f"--allowedTools={rule}" for rule in request.allowed_tools]
    argv += [f"--disallowedTools={rule}" for rule in request.disallowed_tools]
    if request.append_system_prompt:
        argv.append(f"--append-system-prompt={request.append_system_prompt}")
        if request.resume and request.renews_system_prompt:
            argv.append("--system-prompt-snapshot=off")
    if request.mcp_config is not None:
        argv.append(f"--mcp-config={request.mcp_config}")
    if request.max_turns is not None:
        argv.append(f"--max-turns={request.max_turns}")
    if request.budget_usd is not None:
        argv.append(f"--max-budget-usd={request.budget_usd:.12f}".rstrip("0").rstrip("."))
    if request.output_schema is not None:
        argv.append(f"--json-schema={schema_text(request.output_schema)}")
    return argv


def _session(request: Request) -> list[str]:
    new = f"--session-id={request.session_id}"
    if not request.resume:
        return [new]
    return [f"--resume={request.resume}", *(["--fork-session", new] if request.fork else [])]
