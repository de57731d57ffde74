"""The bare route that the door is measured against: the same framework and server, and nothing but the body is read."""

import socket
import sys

import uvicorn
from fastapi import FastAPI, Request

app = FastAPI()


@app.post("/webhooks/jupiter", status_code=202)
async def bare(request: Request) -> dict[str, int]:
    return {"bytes": len(await request.body())}


@app.get("/readyz")
async def readyz() -> dict[str, str]:
    return {"status": "ok"}


if __name__ == "__main__":
    listening = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False)).run(sockets=[listening])
